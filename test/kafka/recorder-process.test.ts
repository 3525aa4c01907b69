import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Store, engineProblem } from '@plumbline/adapters/clickhouse'
import { openKafkaOutboxLog } from '@plumbline/adapters/kafka'
import { type SupervisedEngine, requestErasure, superviseEngine } from '../../services/recorder/src/index.ts'
import { RecorderConfig } from '../../services/recorder/src/config.ts'
import { type RecorderProcess, startRecorder } from '../../services/recorder/src/compose.ts'
import { startProxy } from '../faults/proxy.ts'
import { compare, fill, truncate } from '../faults/recorder-kafka.ts'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { type Cluster, SHARDS, clusterFor } from '../support/kafka/cluster.ts'

/** The process `plumbline recorder`: configuration, health, metrics, removals, and how it starts and stops. */

const { brokers, skip: noKafka } = await kafkaBroker()
const skip = noKafka === false ? (engineProblem()?.message ?? false) : noKafka
const MAIN = fileURLToPath(new URL('../../services/cli/src/main.ts', import.meta.url))
const SILENT = { logLevel: 'silent' } as const
let root: string
let engine: SupervisedEngine

before(async () => {
  if (skip !== false) return
  root = mkdtempSync(join(tmpdir(), 'plumbline-recorder-process-'))
  engine = await superviseEngine({ dir: join(root, 'engine') })
})
after(async () => {
  if (skip !== false) return
  await engine.stop()
  rmSync(root, { recursive: true, force: true })
})

const urlOf = (role: 'owner' | 'recorder', base = engine.url()): string => {
  const url = new URL(`${base}/plumbline`)
  url.username = role
  url.password = engine.passwords()[role]
  return url.href
}

const clusterWith = async (t: TestContext, chunks: number) => {
  await truncate(engine.store('owner'))
  const cluster = await clusterFor(t, brokers)
  return { cluster, ...(await fill(cluster, chunks)) }
}

const configOf = ({ prefix }: Cluster, part: Partial<RecorderConfig> = {}): RecorderConfig =>
  RecorderConfig.parse({
    kafkaBrokers: brokers,
    kafkaPrefix: prefix,
    clickhouseUrl: urlOf('recorder'),
    metricsPort: 0,
    lingerMs: 1,
    sessionMs: 6_000,
    ...SILENT,
    ...part,
  })

const start = async (t: TestContext, config: RecorderConfig): Promise<RecorderProcess> => {
  const recorder = await startRecorder(config)
  t.after(() => recorder.stop())
  return recorder
}

interface Ready {
  readonly ok: boolean
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly detail?: string }>>
}

const ready = async ({ metricsUrl }: { readonly metricsUrl: string }): Promise<Ready> =>
  (await fetch(`${metricsUrl}/health/ready`)).json() as Promise<Ready>
const until = async <T>(look: () => Promise<T>, holds: (seen: T) => boolean): Promise<T> => {
  for (;;) {
    const seen = await look()
    if (holds(seen)) return seen
    await sleep(50)
  }
}
const gauge = async ({ metricsUrl }: RecorderProcess, name: string): Promise<number> =>
  Number(new RegExp(`^${name} (.*)$`, 'm').exec(await (await fetch(`${metricsUrl}/metrics`)).text())?.[1])

const untilWhole = async (cluster: Cluster, store: Store = engine.store('owner')): Promise<void> => {
  await until(
    () => compare(cluster, store),
    (found) => Object.values(found).every(({ lost }) => lost === 0),
  )
  for (const { doubled, wrong } of Object.values(await compare(cluster, store))) assert.deepEqual([doubled, wrong], [0, 0])
}

test('a recorder stores what there is, says so in metrics and health, and stops in good order', { skip, timeout: 60_000 }, async (t) => {
  const { cluster, more } = await clusterWith(t, 2)
  const recorder = await start(t, configOf(cluster))
  await until(
    () => ready(recorder),
    ({ ok }) => ok,
  )
  assert.match((await ready(recorder)).checks['lanes']?.detail ?? '', /^0, 1, 2, 3$/)
  await more(1)
  await untilWhole(cluster)
  await until(
    () => gauge(recorder, 'plumbline_recorder_lag_rows'),
    (rows) => rows === 0,
  )
  assert.equal(await gauge(recorder, 'plumbline_recorder_lanes'), SHARDS)
  // 20 rows, an alert, a capsule and a dead letter of each chunk.
  assert.equal(await gauge(recorder, 'plumbline_recorder_rows_total'), 3 * SHARDS * 23)
  assert.deepEqual(await recorder.stop(), [])
  await assert.rejects(fetch(`${recorder.metricsUrl}/health/live`))
})

test('recorders are replaced one by one while rows come: lanes move at once, and each row is stored once', {
  skip,
  timeout: 90_000,
}, async (t) => {
  const { cluster, more } = await clusterWith(t, 1)
  const old = await start(t, configOf(cluster, { sessionMs: 30_000 }))
  await until(
    () => gauge(old, 'plumbline_recorder_lanes'),
    (lanes) => lanes === SHARDS,
  )
  const filling = more(6)
  const next = await start(t, configOf(cluster, { sessionMs: 30_000 }))
  await until(
    () => gauge(next, 'plumbline_recorder_lanes'),
    (lanes) => lanes > 0,
  )
  assert.deepEqual(await old.stop(), [])
  const left = performance.now()
  await until(
    () => gauge(next, 'plumbline_recorder_lanes'),
    (lanes) => lanes === SHARDS,
  )
  // It said that it leaves: nobody waits for the end of its session.
  assert.ok(performance.now() - left < 15_000)
  await filling
  await untilWhole(cluster)
})

test('without ClickHouse a recorder lives, is not ready, takes no lanes, and says why; then it catches up', {
  skip,
  timeout: 60_000,
}, async (t) => {
  const { cluster } = await clusterWith(t, 2)
  let away = true
  const proxy = await startProxy(engine.url(), () => (away ? 'refuse' : 'pass'))
  t.after(() => proxy.close())
  const recorder = await start(t, configOf(cluster, { clickhouseUrl: urlOf('recorder', proxy.url) }))
  const { ok, checks } = await until(
    () => ready(recorder),
    ({ checks: { lanes } }) => /STORE_UNAVAILABLE/.test(lanes?.detail ?? ''),
  )
  assert.deepEqual([ok, checks['lanes']?.ok, checks['kafka']?.ok], [false, false, true])
  assert.equal((await fetch(`${recorder.metricsUrl}/health/live`)).status, 200)
  away = false
  await untilWhole(cluster)
  away = true
  await until(
    () => ready(recorder),
    ({ checks: { store } }) => store?.ok === false,
  )
  assert.equal((await fetch(`${recorder.metricsUrl}/health/live`)).status, 200)
})

test('removals wait until somebody may delete, and take what is stored with them', { skip, timeout: 60_000 }, async (t) => {
  const { cluster } = await clusterWith(t, 2)
  const front = await openKafkaOutboxLog({ brokers }, { prefix: cluster.prefix })
  t.after(() => front.close())
  const first = await start(t, configOf(cluster))
  await untilWhole(cluster)
  const name = await requestErasure(front, { tenant: 'faults' })
  const { ok } = await until(
    () => ready(first),
    ({ checks: { removals } }) => /clickhouseEraseUrl/.test(removals?.detail ?? ''),
  )
  assert.equal(ok, true)
  await first.stop()
  await start(t, configOf(cluster, { clickhouseEraseUrl: urlOf('owner') }))
  await until(
    async () => front.kv.get(name),
    (value) => value === undefined,
  )
  const left = await engine.store('owner').rows("SELECT count() AS n FROM plumbline.scored_events WHERE tenant = 'faults'")
  assert.deepEqual(left, [{ n: 0 }])
})

test('the command starts with variables, prints where it can be asked, and ends well on a signal', { skip, timeout: 60_000 }, async (t) => {
  const { cluster } = await clusterWith(t, 1)
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, 'recorder', '--json'], {
    env: {
      PATH: process.env['PATH'],
      PLUMBLINE_KAFKA_BROKERS: brokers.join(),
      PLUMBLINE_KAFKA_PREFIX: cluster.prefix,
      PLUMBLINE_METRICS_PORT: '0',
      PLUMBLINE_LOG_LEVEL: 'silent',
      CLICKHOUSE_URL: urlOf('recorder'),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.after(() => void child.kill('SIGKILL'))
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const line = await new Promise<string>((resolve) => createInterface(child.stdout).once('line', resolve))
  const { metricsUrl } = JSON.parse(line) as { metricsUrl: string }
  await until(
    () => ready({ metricsUrl }),
    ({ ok }) => ok,
  )
  await untilWhole(cluster)
  child.kill('SIGTERM')
  assert.equal(await ended, 0, said)
  assert.ok(!said.includes(engine.passwords().recorder), 'a password was printed')
})

test('a deployment that nobody has made is an error with the remedy', { skip, timeout: 60_000 }, async () => {
  await assert.rejects(
    startRecorder(
      RecorderConfig.parse({ kafkaBrokers: brokers, kafkaPrefix: 'nobody', clickhouseUrl: urlOf('recorder'), metricsPort: 0, ...SILENT }),
    ),
    ({ cause }: { cause?: { code?: string; message?: string } }) => {
      assert.equal(cause?.code, 'DEPLOYMENT_MISSING')
      assert.match(cause.message ?? '', /plumbline migrate/)
      return true
    },
  )
})
