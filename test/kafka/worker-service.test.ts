import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { KafkaValues } from '@plumbline/adapters/kafka'
import { announceSigner, type LogRecord, releaseNames, unpackRelease } from '@plumbline/detector'
import { createLogger } from '@plumbline/runtime'
import { type DeadLetter, progressName, ShardProgress } from '@plumbline/schemas'
import { generateSigningKey, signRelease } from '@plumbline/training'
import { MASTER_KEY } from '../../packages/detector/src/rig.testkit.ts'
import { loadWorkerConfig, startWorkerService, type WorkerService } from '../../services/worker/src/service.ts'
import { HOSTILE } from '../hostile/corpus.testkit.ts'
import { NOW } from '../hostile/door.testkit.ts'
import { companyLog, CONFIG, type Log, run, SHARDS } from '../support/detector-log.ts'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { type Cluster, clusterFor } from '../support/kafka/cluster.ts'
import { type ReadMessage, readCommitted } from '../support/kafka/topics.ts'

/** The process `plumbline worker` as it is composed, on a real broker, with the real detector and real releases. */

const { brokers, skip } = await kafkaBroker()
const UNTIL_MS = 90_000
const signer = generateSigningKey()

const until = async (what: string, condition: () => boolean | Promise<boolean>): Promise<void> => {
  for (const end = performance.now() + UNTIL_MS; !(await condition()); await pause(50)) assert.ok(performance.now() < end, what)
}

interface Deployment {
  readonly cluster: Cluster
  readonly values: KafkaValues
  readonly services: WorkerService[]
}

const deploymentFor = async (t: TestContext): Promise<Deployment> => {
  const services: WorkerService[] = []
  // Before the topics are removed.
  t.after(() => Promise.all(services.map((service) => service.stop())))
  const cluster = await clusterFor(t, brokers)
  return { cluster, values: await cluster.values(), services }
}

const workerOn = async ({ cluster: { prefix }, services }: Deployment): Promise<WorkerService> => {
  const { config } = loadWorkerConfig({
    flags: {
      kafkaBrokers: [...brokers],
      kafkaPrefix: prefix,
      shards: SHARDS,
      // 32 bytes, of which the detector takes the first 16.
      masterKey: Buffer.concat([MASTER_KEY, Buffer.alloc(16)]).toString('hex'),
      residentIdentities: 64,
      chunkRecords: 60,
      sessionMs: 6_000,
      metricsPort: 0,
    },
  })
  const service = await startWorkerService(config, { logger: createLogger({ name: 'test', level: 'silent' }), detectionConfig: CONFIG })
  services.push(service)
  return service
}

const feed = async ({ cluster }: Deployment, shards: readonly (readonly LogRecord[])[]): Promise<void> => {
  const log = await cluster.open()
  await log.append(shards.flatMap((records, shard) => records.map((record) => ({ ...record, shard }))))
}

const releaseValues = (log: Log): Record<string, Uint8Array> =>
  Object.fromEntries(
    [...log.artifacts].flatMap(([sha256, bytes]) => {
      const names = releaseNames(sha256)
      assert.equal(unpackRelease(bytes).sha256, sha256)
      return [
        [names.artifact, bytes],
        [names.envelope, Buffer.from(JSON.stringify(signRelease(bytes, signer)))],
      ]
    }),
  )

const progressOf = (values: KafkaValues, shard: number): ShardProgress | null => {
  const bytes = values.get(progressName(shard))
  return bytes === undefined ? null : ShardProgress.parse(JSON.parse(Buffer.from(bytes).toString()))
}

const health = async (service: WorkerService): Promise<{ status: number; text: string }> => {
  const response = await fetch(`${service.metricsUrl}/health/ready`)
  return { status: response.status, text: await response.text() }
}
const counter = async (service: WorkerService, name: string): Promise<number> => {
  const text = await (await fetch(`${service.metricsUrl}/metrics`)).text()
  return [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].reduce((sum, [, value]) => sum + Number(value), 0)
}

const header = (message: ReadMessage, name: string): number => Number(message.headers?.[name]?.toString())
const ofShard = (messages: readonly ReadMessage[], shard: number): ReadMessage[] =>
  messages.filter((message) => header(message, 'shard') === shard)

/** Says where two lists part; printed whole they would fill screens. */
const same = (actual: readonly string[], expected: readonly string[], what: string): void => {
  const at = expected.findIndex((item, i) => item !== actual[i])
  assert.ok(at < 0 && actual.length === expected.length, `${what}: ${actual.length} of ${expected.length}, other from ${at} on`)
}

/** What is in the outbox, shard by shard, against one run of the detector over the same log. */
const compare = async ({ cluster: { kafka, names } }: Deployment, log: Log): Promise<void> => {
  const { commits } = run(log, { chunk: () => 200 })
  const [scored, alerts, letters] = await Promise.all([
    readCommitted(kafka, names.scored),
    readCommitted(kafka, names.alerts),
    readCommitted(kafka, names['dead-letters']),
  ])
  for (let shard = 0; shard < SHARDS; shard++) {
    const own = commits.filter((commit) => commit.shard === shard)
    const values = (messages: readonly ReadMessage[], prefix: string): string[] =>
      ofShard(messages, shard)
        .filter(({ key }) => key!.toString().startsWith(prefix))
        .map(({ value }) => value!.toString())
    const rows = Buffer.concat(ofShard(scored, shard).map(({ value }) => value!))
    assert.ok(
      rows.equals(Buffer.concat(own.flatMap((commit) => (commit.scored === null ? [] : [commit.scored.bytes])))),
      `rows of shard ${shard}`,
    )
    const json = (items: readonly unknown[]): string[] => items.map((item) => JSON.stringify(item))
    same(values(alerts, 'a:'), json(own.flatMap((commit) => commit.alerts)), `alerts of shard ${shard}`)
    same(values(alerts, 'k:'), json(own.flatMap((commit) => commit.capsules)), `capsules of shard ${shard}`)
    same(values(letters, 'd:'), json(own.flatMap((commit) => commit.deadLetters)), `dead letters of shard ${shard}`)
  }
}

test('workers score a log with everything in it, wait for a release that is not there yet, and pass shards on when they stop', {
  skip,
  timeout: 300_000,
}, async (t) => {
  const deployment = await deploymentFor(t)
  const { values } = deployment
  const log = await companyLog()
  await announceSigner(values, signer.publicKey)
  await feed(deployment, log.shards)
  const first = await workerOn(deployment)
  const obstacle = (): string => progressOf(values, 0)?.stopped ?? ''
  await until('the shards wait', () => obstacle().startsWith('RELEASE_UNSUPPORTED'))
  const waiting = await health(first)
  assert.deepEqual([waiting.status, /RELEASE_UNSUPPORTED/.test(waiting.text)], [503, true])
  await values.put(releaseValues(log))
  const second = await workerOn(deployment)
  await until('some is scored', async () => (await counter(first, 'plumbline_events_scored_total')) > 100)
  const begun = performance.now()
  assert.deepEqual(await first.stop(), [])
  assert.ok(performance.now() - begun < 20_000)
  const done = (shard: number): boolean => progressOf(values, shard)?.position === log.shards[shard]!.length
  await until('all is scored', () => log.shards.every((_, shard) => done(shard)))
  await until('nothing waits', async () => (await health(second)).status === 200)
  assert.ok((await counter(second, 'plumbline_restore_seconds_count')) >= SHARDS)
  assert.equal(await counter(second, 'plumbline_invariant_violations_total'), 0)
  assert.ok((await counter(second, 'plumbline_identities_resident')) <= 64)
  await compare(deployment, log)
  const told = progressOf(values, 0)!
  assert.deepEqual([told.stopped, told.tenants.find(({ name }) => name === 'default')?.release?.trained], [null, true])
})

test('a release with the signature of a stranger is not run', { skip, timeout: 120_000 }, async (t) => {
  const deployment = await deploymentFor(t)
  const log = await companyLog()
  await announceSigner(deployment.values, generateSigningKey().publicKey)
  await deployment.values.put(releaseValues(log))
  await feed(deployment, log.shards)
  await workerOn(deployment)
  const firstRelease = log.shards[0]!.findIndex(({ key }) => Buffer.from(key).toString().startsWith('c:release'))
  await until('the shard stops', () => (progressOf(deployment.values, 0)?.stopped ?? '') !== '')
  const { stopped, position } = progressOf(deployment.values, 0)!
  assert.match(stopped ?? '', /^RELEASE_/)
  assert.equal(position, firstRelease)
})

test('hostile events become dead letters in the transaction of their chunk, and those around them are scored', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const deployment = await deploymentFor(t)
  const log = await companyLog()
  const good = log.shards[1]!.filter(({ key }) => key[0] === 'e'.charCodeAt(0)).slice(0, HOSTILE.length + 1)
  const records = good.flatMap((record, i) => [
    record,
    ...(i < HOSTILE.length
      ? [{ offset: 0, ingestTimeMs: NOW, key: Buffer.from('e:default|bot'), value: Buffer.from(HOSTILE[i]!.body) }]
      : []),
  ])
  const shards = Array.from({ length: SHARDS }, (_, shard) => (shard === 1 ? records.map((record, offset) => ({ ...record, offset })) : []))
  await feed(deployment, shards)
  await workerOn(deployment)
  await until('all is scored', () => progressOf(deployment.values, 1)?.position === records.length)
  await compare(deployment, { shards, artifacts: new Map() })
  const letters = await readCommitted(deployment.cluster.kafka, deployment.cluster.names['dead-letters'])
  const codeAt = new Map(letters.map((message) => [header(message, 'offset'), (JSON.parse(message.value!.toString()) as DeadLetter).code]))
  for (const [i, { title, code }] of HOSTILE.entries()) assert.equal(codeAt.get(2 * i + 1), code, title)
})
