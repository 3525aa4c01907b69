import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { connect } from '@plumbline/adapters/clickhouse'
import { proposePolicy } from '@plumbline/adapters/policy'
import { DAY, generate, HOUR } from '@plumbline/generator'
import { createLogger, findInstance } from '@plumbline/runtime'
import { BLIND_SPOT_KINDS, BlindSpotAnswer, EraseAnswer, type FeedHeader, Policy, ReleasesAnswer, TrainAnswer } from '@plumbline/schemas'
import { loadStandaloneConfig, type Standalone, startStandalone } from '@plumbline/standalone'
import { backfill } from '../backfill/backfill.ts'
import { type Spool, spool } from '../backfill/spool.ts'
import { backfillWords } from '../backfill/words.ts'
import { observeStore } from '../policy/observe-store.ts'
import { observe } from '../policy/observe.ts'
import { createProgress, type Progress } from '../progress.ts'
import { operatorTarget } from '../replay/operator.ts'
import { replay } from '../replay/replay.ts'
import { openStore } from '../store.ts'
import { runningAt, type InstanceAccess } from './access.ts'
import { createApi } from './api.ts'
import { settle } from './feed.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'plumbline-instance-'))
const end = Math.floor(Date.now() / HOUR) * HOUR - DAY
const life = [...generate({ seed: 3, startTime: end - 8 * DAY, days: 8, identities: 12, eventsPerIdentityDay: 12, attacks: 'none' })].map(
  ({ event }) => event,
)
const path = join(dataDir, 'life.jsonl')
const silent: Progress = createProgress({ json: false, out: process.stdout, err: process.stderr, progress: false }, '', '')
let service: Standalone
let access: Pick<InstanceAccess, 'api' | 'operator'>

before(async () => {
  writeFileSync(path, life.map((event) => `${JSON.stringify(event)}\n`).join(''))
  const { config } = loadStandaloneConfig({ env: {} })
  const own = { httpPort: 0, dataDir, demo: false, alertsStdout: false, policyFile: join(dataDir, 'policy.yaml') }
  service = await startStandalone({ ...config, ...own }, { logger: createLogger({ name: 'test', level: 'silent' }) })
  const found = await runningAt(service.url, { dataDir })
  assert.ok(found !== undefined)
  access = found
})
after(async () => {
  await service.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

const learn = (history: Spool, signal = new AbortController().signal, progress = silent) =>
  backfill({ operator: access.operator, history, tenant: 'acme', afterLive: false, progress, signal })

test('history: interrupted between requests, resumed, then known', async () => {
  const history = await spool([path], { format: undefined, tenant: 'acme' })
  const stop = new AbortController()
  const stopping: Progress = { ...silent, at: (done) => void (done >= 500 && stop.abort()) }
  const begun = await learn(history, stop.signal, stopping)
  assert.deepEqual([begun.finished, begun.events, begun.before], [false, 500, 0])
  const rest = await learn(history)
  assert.deepEqual([rest.finished, rest.events, rest.before], [true, life.length - 500, 500])
  const answer = rest.tenants['acme']
  assert.equal(answer?.identities.length, 12)
  const words = backfillWords(rest, history, 1000)
  assert.match(
    words,
    new RegExp(`^${life.length.toLocaleString('en')} events of 1 file from .* \\([78] days\\), 500 of them by earlier runs`),
  )
  assert.match(words, /12 identities: \d+ known well/)
  const again = await learn(history)
  assert.deepEqual([again.events, again.before], [0, life.length])
  history.close()
})

test('a sender’s token, or another key, opens nothing', async () => {
  const header: FeedHeader = { mode: 'replay', tenant: 'x', id: 'a', arrival: 0, from: {}, to: {} }
  for (const token of [service.token, 'wrong', undefined])
    await assert.rejects(createApi(service.url, token).post('/v1/operator/feed', JSON.stringify(header)), { code: 'OPERATOR_ONLY' })
  await assert.rejects(access.operator.post('/v1/operator/feed', '{}'), { code: 'REQUEST_INVALID' })
  await assert.rejects(access.operator.post('/v1/operator/train', '{"tenant": 5}'), { code: 'REQUEST_INVALID' })
  await assert.rejects(access.operator.post('/v1/operator/places', '{"tenant":"demo","files":[]}'), {
    code: 'TENANT_RESERVED',
    message: /demo is reserved/,
  })
  await assert.rejects(access.operator.post('/v1/operator/feed', JSON.stringify({ ...header, tenant: 'demo' })), {
    code: 'TENANT_RESERVED',
  })
  assert.notEqual(findInstance(dataDir)?.operator, service.token)
})

test('replay arrives at its event time; history after live events is refused', async () => {
  const target = operatorTarget(access.operator, 'default', silent)
  const summary = await replay({ files: [path], format: undefined, tenant: 'default', pace: 0, target, progress: silent })
  assert.deepEqual([summary.events, summary.rejected], [life.length, 0])
  const events = (await access.api.get(`/v1/events?identity=${encodeURIComponent(life[0]?.identity.id ?? '')}&limit=500`)) as {
    events: readonly { readonly flags: readonly string[] }[]
  }
  assert.ok(events.events.length > 0)
  assert.ok(events.events.every(({ flags }) => !flags.includes('late') && !flags.includes('historic')))
  const history = await spool([path], { format: undefined, tenant: 'default' })
  await assert.rejects(
    backfill({
      operator: access.operator,
      history,
      tenant: 'default',
      afterLive: false,
      progress: silent,
      signal: new AbortController().signal,
    }),
    { code: 'BACKFILL_AFTER_LIVE' },
  )
  history.close()
})

test('what the store saw becomes the same proposal as the files that it came from', async () => {
  await settle(access.operator, ['acme', 'default'], false, () => {})
  const empty = Policy.parse({})
  const store = await openStore({ dataDir }, 'reader')
  const proposals = async (tenant?: string) => proposePolicy(empty, await observeStore(store, tenant))
  const ofFiles = proposePolicy(empty, await observe([path], undefined, () => {}))
  assert.ok(ofFiles.length > 2, `${ofFiles.length} proposals`)
  assert.deepEqual(await proposals('default'), ofFiles)
  assert.deepEqual(
    (await proposals()).map((p) => p.entry),
    ofFiles.map((p) => p.entry),
  )
  assert.deepEqual(await observeStore(store, "nobody' OR 1=1 --"), { classes: [], destinations: [], identities: 0 })
})

test('training on demand releases; a tenant nobody knows is named', async () => {
  await settle(access.operator, ['acme'], false, () => {})
  const train = async (tenant: string) => TrainAnswer.parse(await access.operator.post('/v1/operator/train', JSON.stringify({ tenant })))
  let made = await train('acme')
  while (made.state === 'running') made = await train('acme')
  assert.ok(made.state === 'released', JSON.stringify(made))
  assert.match(made.releaseId, /^acme-r\d+$/)
  assert.equal(made.events, life.length)
  await assert.rejects(train('nobody'), { code: 'TENANT_UNKNOWN', message: /nobody/ })
})

test('releases: listed, told in a bill of materials, compared with a table, and gone back from', { timeout: 120_000 }, async () => {
  const main = fileURLToPath(new URL('../main.ts', import.meta.url))
  const run = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)(process.execPath, [main, ...args, '--data-dir', dataDir], { maxBuffer: 1 << 28 })).stdout
  const listed = async () =>
    ReleasesAnswer.parse({
      releases: (JSON.parse(await run('release', 'list', '--tenant', 'acme', '--json')) as { releases: unknown }).releases,
    }).releases
  const before = await listed()
  const present = before.at(-1)!
  assert.deepEqual([present.state, present.modelled], ['in_force', true])
  const bom = JSON.parse(await run('release', 'bom', present.id, '--tenant', 'acme')) as {
    metadata: { component: { hashes: { content: string }[] } }
  }
  assert.equal(bom.metadata.component.hashes[0]?.content, present.sha256)
  const rows = join(dataDir, 'rows.ndjson')
  writeFileSync(
    rows,
    await run(
      'query',
      '--format',
      'JSONEachRow',
      "SELECT identity, event_time, features FROM scored_events WHERE tenant = 'acme' AND release != 'release-0'",
    ),
  )
  const checked = await run('dataset', 'check', rows, '--release', present.id, '--tenant', 'acme')
  assert.match(checked, /rows of 64 columns passed/)
  assert.doesNotMatch(checked, /skipped {2}drift/)
  const words = await run('release', 'rollback', '--tenant', 'acme')
  const [origin, now] = [before.at(-2)!, (await listed()).at(-1)!]
  assert.ok(words.startsWith(`Release ${origin.id} of tenant acme is in force again, as ${now.id}.`), words)
  assert.deepEqual([now.state, now.restores, now.orderedBy], ['in_force', origin.id, 'operator'])
  assert.match(await run('release', 'list', '--tenant', 'acme'), new RegExp(`${now.id} +IN FORCE .*restores ${origin.id}`))
})

test('blind spots: tried when asked for, kept for the page, in words and as JSON', { timeout: 60_000 }, async () => {
  const main = fileURLToPath(new URL('../main.ts', import.meta.url))
  const who = life[0]?.identity.id ?? ''
  const run = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)(process.execPath, [main, 'blind', who, ...args, '--tenant', 'acme', '--data-dir', dataDir])).stdout
  assert.match(await run('--last'), /was not tried yet/)
  const words = await run()
  assert.match(words, new RegExp(`^${who} \\(tenant acme\\), tried at .* under release acme-r\\d+:\n`))
  assert.equal(words.trimEnd().split('\n').length, 1 + BLIND_SPOT_KINDS.length)
  assert.match(words, / {2}Acts of its usual kinds: (would alert at ≥ |blind)/)
  const last = BlindSpotAnswer.parse(JSON.parse(await run('--last', '--json')))
  for (const { text } of last.measured?.spots ?? []) assert.ok(words.includes(text), text)
  assert.deepEqual(await access.api.get(`/v1/blind-spots?tenant=acme&identity=${encodeURIComponent(who)}`), last)
  await assert.rejects(access.api.get('/v1/blind-spots?tenant=acme&identity=nobody&measure=true'), { code: 'NOT_FOUND' })
})

test('an identity is erased: its events and its page are gone, those of others stay', { timeout: 60_000 }, async () => {
  const [who, other] = [...new Set(life.map(({ identity }) => identity.id))] as [string, string]
  const measure = '&measure=true'
  const spotsOf = async (more = '') =>
    BlindSpotAnswer.parse(await access.api.get(`/v1/blind-spots?identity=${encodeURIComponent(who)}${more}`)).measured
  assert.ok((await spotsOf(measure)) !== null && (await spotsOf()) !== null)
  const countOf = async (id: string): Promise<number> => {
    const answer = await access.api.get(`/v1/events?identity=${encodeURIComponent(id)}&limit=500`)
    return (answer as { events: readonly unknown[] }).events.length
  }
  assert.ok((await countOf(who)) > 0)
  const others = await countOf(other)
  const erase = async (tenant: string) =>
    EraseAnswer.parse(await access.operator.post('/v1/operator/erase', JSON.stringify({ tenant, identity: who })))
  let answer = await erase('default')
  while (answer.state === 'running') answer = await erase('default')
  assert.ok(answer.records > 0)
  assert.deepEqual([await countOf(who), await countOf(other)], [0, others])
  await assert.rejects(access.api.get(`/v1/identities/${encodeURIComponent(who)}`), { code: 'NOT_FOUND' })
  assert.equal(await spotsOf(), null)
  await assert.rejects(spotsOf(measure), { code: 'NOT_FOUND' })
  await assert.rejects(erase('nobody'), { code: 'TENANT_UNKNOWN' })
})

test('who learned, replayed and trained is in the audit log', async () => {
  const store = findInstance(dataDir)?.store
  assert.ok(store !== null && store !== undefined)
  const reader = connect(store)
  const read = () =>
    reader.rows<{ actor: string; action: string; tenant: string; target: string }>(
      `SELECT actor, action, tenant, target FROM ${reader.database}.audit WHERE tenant != '' AND actor != 'policy file' ORDER BY sequence`,
    )
  let entries = await read()
  // The newest may still be on its way.
  const isThere = (): boolean =>
    entries.some(({ tenant }) => tenant === 'nobody') && entries.some(({ action }) => action === 'identity.erase')
  for (let tries = 0; !isThere() && tries < 200; tries++) {
    await sleep(50)
    entries = await read()
  }
  await reader.close()
  const ofAcme = entries.filter(({ tenant }) => tenant === 'acme')
  const byOperator = ofAcme.filter(({ actor }) => actor === 'operator').map(({ action }) => action)
  assert.deepEqual(
    byOperator,
    ['backfill', 'backfill', 'backfill.end', 'train', 'release', 'release.restored'],
    'interrupted once; the second run ended',
  )
  assert.ok(
    ofAcme.some(({ actor, action }) => actor === 'trainer' && action === 'release'),
    'what was due is from the trainer',
  )
  const [first, second, end] = ofAcme.filter(({ action }) => action.startsWith('backfill')).map(({ target }) => target)
  assert.ok(first !== second && second === end)
  assert.deepEqual(
    entries.filter(({ tenant, actor }) => tenant === 'default' && actor === 'operator').map(({ action }) => action),
    ['replay', 'replay.end', 'identity.erase'],
  )
  assert.deepEqual(
    entries.filter(({ tenant }) => tenant === 'nobody').map(({ actor, action }) => [actor, action]),
    [['operator', 'train']],
  )
})

test('only the instance of the data folder is the operator’s', async () => {
  const { port } = new URL(service.url)
  assert.ok((await runningAt(`http://localhost:${port}/`, { dataDir })) !== undefined)
  assert.equal(await runningAt('http://localhost:1', { dataDir }), undefined)
  assert.equal(await runningAt(service.url, { dataDir: join(dataDir, 'elsewhere') }), undefined)
})
