import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { connect, migrate, startEngine } from '@plumbline/adapters/clickhouse'
import { shardOf } from '@plumbline/detector'
import { createLogger } from '@plumbline/runtime'
import type { ApiError, AuditRecord, ChangePage, IngestAnswer, StatusView } from '@plumbline/schemas'
import { loadFrontConfig, startFront } from '../../services/standalone/src/front/index.ts'
import { loadStandaloneConfig, startStandalone } from '../../services/standalone/src/index.ts'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { clusterFor, SHARDS } from '../support/kafka/cluster.ts'
import { startBrokerProxy } from '../support/kafka/proxy.ts'
import { readCommitted } from '../support/kafka/topics.ts'
import { until } from './instance.testkit.ts'

const { brokers, skip } = await kafkaBroker()

/** The same request is the same bytes. */
const NOW = Date.now()

const body = (ids: readonly string[]): string => {
  const identity = { id: 'bot', kind: 'agent' }
  return JSON.stringify(ids.map((id) => ({ id, time: NOW, identity, action: 'kb.search', resource: { class: 'kb' } })))
}

/** A front of its own deployment, without workers and recorders; its way to the broker can be cut. */
const frontFor = async (t: TestContext, more: Readonly<Record<string, string>> = {}) => {
  const proxy = await startBrokerProxy(brokers[0]!)
  const dataDir = mkdtempSync(join(tmpdir(), 'plumbline-front-'))
  let stop = async (): Promise<unknown> => undefined
  // Before the topics go, which is asked for next.
  t.after(async () => {
    proxy.heal()
    await stop()
    await proxy.close()
    rmSync(dataDir, { recursive: true, force: true })
  })
  const cluster = await clusterFor(t, brokers)
  const { config } = loadFrontConfig({
    env: {
      PLUMBLINE_KAFKA_BROKERS: brokers.join(','),
      PLUMBLINE_KAFKA_PREFIX: cluster.prefix,
      PLUMBLINE_SHARDS: String(SHARDS),
      PLUMBLINE_MASTER_KEY: randomBytes(32).toString('hex'),
      PLUMBLINE_HTTP_PORT: '0',
      PLUMBLINE_DATA_DIR: dataDir,
      PLUMBLINE_POLICY_FILE: join(dataDir, 'policy.yaml'),
      PLUMBLINE_ALERTS_STDOUT: 'false',
      // Nothing listens there: what is tested needs no store.
      CLICKHOUSE_URL: 'http://127.0.0.1:9',
      ...more,
    },
  })
  const logger = createLogger({ name: 'test', level: 'silent' })
  const start = () => startFront(config, { logger, kafka: { socketFactory: proxy.socketFactory } })
  const front = await start()
  stop = async () => assert.deepEqual(await front.stop(), [])
  const headers = { authorization: `Bearer ${front.token}`, 'content-type': 'application/json' }
  const send = async (ids: readonly string[], key?: string) => {
    const answer = await fetch(`${front.url}/v1/events`, {
      method: 'POST',
      headers: { ...headers, ...(key === undefined ? {} : { 'idempotency-key': key }) },
      body: body(ids),
    })
    const retryAfter = answer.headers.get('retry-after')
    return { status: answer.status, retryAfter, body: (await answer.json()) as IngestAnswer & ApiError }
  }
  const status = async () => (await (await fetch(`${front.url}/v1/status`, { headers })).json()) as StatusView
  const ready = async () => {
    const answer = await fetch(`${front.url}/readyz`)
    return (await answer.json()) as { readonly ok: boolean; readonly checks: Readonly<Record<string, { ok: boolean; detail?: string }>> }
  }
  /** Ids of the events in the log, in no order. */
  const stored = async (): Promise<string[]> =>
    (await readCommitted(cluster.kafka, cluster.names.events))
      .filter(({ key }) => key?.toString().startsWith('e:') === true)
      .map(({ value }) => (JSON.parse(value!.toString()) as { id: string }).id)
  return { cluster, proxy, front, start, dataDir, send, status, ready, stored }
}

test('without ClickHouse events are taken in, and page and health say what is missing', { skip }, async (t) => {
  const { front, dataDir, send, status, ready, stored } = await frontFor(t)
  assert.equal((await fetch(front.url)).status, 200)
  assert.deepEqual((await send(['a', 'b'], 'k')).body, { accepted: 2, rejected: 0, errors: [] })
  assert.deepEqual((await stored()).sort(), ['a', 'b'])
  assert.equal((await status()).phase, 'starting the store')
  const { ok, checks } = await ready()
  assert.deepEqual([ok, checks['kafka']?.ok, checks['log']?.ok], [true, true, true])
  assert.match(checks['store']?.detail ?? '', /ECONNREFUSED/)
  const { config } = loadStandaloneConfig({ env: { PLUMBLINE_DATA_DIR: dataDir } })
  await assert.rejects(startStandalone(config), { code: 'DATA_DIR_OF_FRONT' }, 'no instance of one process is made of its folder')
})

test('ClickHouse that goes away later stops nothing, and the page says so until it is back', { skip }, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-front-store-'))
  let engine = await startEngine({ dir })
  t.after(async () => {
    await engine.stop()
    rmSync(dir, { recursive: true, force: true })
  })
  const { passwords } = engine
  const owner = connect({ url: engine.url, user: 'owner', password: passwords.owner })
  await migrate(owner)
  await owner.close()
  const at = new URL(engine.url)
  const { send, status, ready, stored } = await frontFor(t, { CLICKHOUSE_URL: `http://reader:${passwords.reader}@${at.host}/plumbline` })
  const phase = (wanted: string) => until(wanted, 20_000, async () => (await status()).phase === wanted)
  await phase('waiting for events')
  await engine.kill()
  assert.equal((await send(['a'])).status, 202)
  await phase('rows wait for the store')
  assert.equal((await send(['b'])).status, 202)
  assert.equal((await ready()).ok, true)
  engine = await startEngine({ dir, passwords, port: Number(at.port) })
  await phase('waiting for events')
  assert.deepEqual((await stored()).sort(), ['a', 'b'])
})

test('while Kafka is away the door says so and takes nothing; afterwards a request sent again is in once', { skip }, async (t) => {
  const { proxy, send, ready, stored } = await frontFor(t)
  assert.equal((await send(['before'], 'first')).status, 202)
  proxy.loseAnswers()
  // Under way while nobody knows yet: stored or not, it is not answered before that is known.
  const underWay = send(['during'], 'second')
  const refused = await until('the refusal', 20_000, async () => {
    const { checks } = await ready()
    return checks['kafka']?.ok === false ? send(['later'], 'third') : undefined
  })
  assert.deepEqual([refused.status, refused.body.code, refused.retryAfter], [503, 'OVERLOADED', '1'])
  assert.match(refused.body.message, /^Kafka has not answered for \d+ s\.$/)
  proxy.heal()
  const during = await underWay
  assert.ok(during.status === 202 || (during.status === 503 && during.body.code === 'INGEST_UNKNOWN'), JSON.stringify(during))
  const again = await until('the door', 30_000, async () => {
    const answer = await send(['later'], 'third')
    return answer.status === 202 ? answer : undefined
  })
  assert.equal(again.body.accepted, 1)
  const first = await send(['during'], 'second')
  assert.deepEqual([first.status, first.body.accepted], [202, 1])
  assert.deepEqual([(await send(['before'], 'first')).body.accepted, (await send(['other'], 'first')).status], [1, 422])
  assert.deepEqual((await stored()).sort(), ['before', 'during', 'later'])
})

test('more events than may wait to be scored are refused until they are fewer', { skip }, async (t) => {
  const { send, stored } = await frontFor(t, { PLUMBLINE_MAX_LAG_EVENTS: '1000' })
  const ids = Array.from({ length: 1_001 }, (_, i) => `e${i}`)
  assert.equal((await send(ids)).status, 202)
  const { status, body, retryAfter } = await send(['more'])
  assert.deepEqual([status, body.code, retryAfter], [503, 'OVERLOADED', '1'])
  assert.match(body.message, /^\d+ events wait to be scored\.$/)
  assert.equal((await stored()).length, ids.length)
})

test('a second front takes the deployment over, and the first is told to end', { skip }, async (t) => {
  const { front, start, send } = await frontFor(t)
  assert.equal((await send(['a'], 'k')).status, 202)
  const second = await start()
  const { code, message } = await front.lost
  assert.equal(code, 'FRONT_REPLACED')
  assert.ok(message.includes(`pid ${process.pid}`), message)
  const headers = { authorization: `Bearer ${second.token}`, 'content-type': 'application/json', 'idempotency-key': 'k' }
  const again = await fetch(`${second.url}/v1/events`, { method: 'POST', headers, body: body(['a']) })
  assert.deepEqual([again.status, await again.json()], [202, { accepted: 1, rejected: 0, errors: [] }], 'the key is known to the next')
  assert.deepEqual(await second.stop(), [])
})

test('a verdict that a front left half done is finished by the next, and takes effect once', { skip }, async (t) => {
  const { cluster, front, start } = await frontFor(t)
  const control = {
    v: 1,
    type: 'verdict',
    controlId: 'verdict:half-done',
    tenant: 'default',
    alertId: 'an-alert',
    identity: 'bot',
    verdict: 'safe',
    groupKey: 'rate:0',
    events: [],
    author: 'me',
  }
  const feedback = { time: NOW, tenant: 'default', alertId: 'an-alert', identity: 'bot', verdict: 'safe', author: 'me', note: '' }
  const values = await cluster.values()
  await values.put({ 'verdict:pending:half-done': Buffer.from(JSON.stringify({ control, feedback })) })
  assert.deepEqual(await front.stop(), [])
  // Twice: the second one finds the same again, as if the first had died before it forgot it.
  for (const name of ['first', 'second']) {
    const next = await start()
    assert.deepEqual(await next.stop(), [], name)
    await values.put(name === 'first' ? { 'verdict:pending:half-done': Buffer.from(JSON.stringify({ control, feedback })) } : {})
  }
  const controls = (await readCommitted(cluster.kafka, cluster.names.events)).filter(({ key }) => key?.toString() === 'c:verdict:half-done')
  assert.deepEqual(
    controls.map(({ partition, value }) => [partition, JSON.parse(value!.toString())]),
    [[shardOf('default', 'bot', SHARDS), control]],
    'one record, in the shard of the identity',
  )
  const said = (await readCommitted(cluster.kafka, cluster.names.feedback)).map(({ value }) => JSON.parse(value!.toString()) as unknown)
  assert.deepEqual(said, [feedback], 'told once, with it')
})

test('an announced change is in every partition once, also when it is sent again to the next front', { skip }, async (t) => {
  const { cluster, front, start, dataDir } = await frontFor(t)
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const entry = { id: 'ci', tenant: 'default', publicKey: publicKey.export({ format: 'der', type: 'spki' }).toString('base64') }
  mkdirSync(join(dataDir, 'keys'), { recursive: true })
  writeFileSync(join(dataDir, 'keys', 'deploy-keys.json'), JSON.stringify({ keys: [entry] }))
  const change = {
    id: 'run-1',
    what: { tools: '*' },
    scope: { all: true },
    from: new Date(NOW).toISOString(),
    reason: 'New tools',
    by: 'me',
  }
  const text = JSON.stringify(change)
  const headers = { 'plumbline-key': 'ci', 'plumbline-signature': sign(null, Buffer.from(text), privateKey).toString('base64') }
  const announce = async (url: string): Promise<number> =>
    (await fetch(`${url}/v1/changes`, { method: 'POST', headers, body: text })).status
  const statuses = await Promise.all([1, 2, 3].map(() => announce(front.url)))
  assert.deepEqual(statuses.sort(), [200, 200, 201])
  const listed = async ({ url, token }: typeof front): Promise<ChangePage> =>
    (await (await fetch(`${url}/v1/changes`, { headers: { authorization: `Bearer ${token}` } })).json()) as ChangePage
  const page = await listed(front)
  assert.deepEqual(
    page.changes.map(({ id, tenant, state, actor }) => [id, tenant, state, actor]),
    [['run-1', 'default', 'open', 'deploy key ci']],
  )
  assert.deepEqual(await front.stop(), [])
  const next = await start()
  assert.deepEqual(await listed(next), page, 'the next front reads the same')
  assert.equal(await announce(next.url), 200)
  assert.deepEqual(await next.stop(), [])
  const controls = (await readCommitted(cluster.kafka, cluster.names.events)).filter(({ key }) => key?.toString().startsWith('c:change:'))
  assert.deepEqual(
    controls.map(({ partition }) => partition).sort((a, b) => a - b),
    Array.from({ length: SHARDS }, (_, shard) => shard),
  )
  const said = (await readCommitted(cluster.kafka, cluster.names.audit)).map(({ value }) => JSON.parse(value!.toString()) as AuditRecord)
  assert.deepEqual(
    said.filter(({ action }) => action === 'change.announce').map(({ actor, target }) => [actor, target]),
    [['deploy key ci', 'run-1']],
  )
})
