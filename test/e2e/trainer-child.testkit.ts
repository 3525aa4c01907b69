/**
 * The process that gets killed while it trains: log, detector, worker, recorder and trainer of a real deployment.
 * Arguments: JSON of TrainerPlan. Prints `released <id> <sha256>` once the release is in force, then ends.
 */
import { writeSync } from 'node:fs'
import { connect } from '@plumbline/adapters/clickhouse'
import { openEmbeddedLog } from '@plumbline/adapters/lmdb'
import { createMetrics, createLogger } from '@plumbline/runtime'
import { DetectionConfig } from '@plumbline/schemas'
import { createLocalDetection } from '../../services/standalone/src/local-detection.ts'
import { feed } from '../../services/standalone/src/feed.ts'
import { createRecorder } from '../../services/recorder/src/index.ts'
import { createReleaseStore, createTrainer, signingKeyIn, type TrainerPoint } from '../../services/trainer/src/index.ts'
import { generate } from '@plumbline/generator'

export interface TrainerPlan {
  readonly dir: string
  /** Point to die at; null runs to the end. */
  readonly point: TrainerPoint | null
  readonly url: string
  readonly passwords: { readonly recorder: string; readonly reader: string }
}

const plan = JSON.parse(process.argv[2] ?? '') as TrainerPlan
const say = (line: string): void => void writeSync(1, `${line}\n`)
const SHARDS = 4
const config = DetectionConfig.parse({ shards: SHARDS, trainAfterEvents: 1000 })
const log = await openEmbeddedLog({ dir: plan.dir, shards: SHARDS })
const key = signingKeyIn(`${plan.dir}/signing.key`)
const releases = createReleaseStore(log.kv, () => [key.publicKey])
const logger = createLogger({ name: 'test', level: 'warn', destination: { write: (line) => void process.stderr.write(line) } })
const detection = createLocalDetection({ log, releases, config, residentIdentities: 1000, logger, metrics: createMetrics() })
detection.start()
const writer = connect({ url: plan.url, user: 'recorder', password: plan.passwords.recorder })
const reader = connect({ url: plan.url, user: 'reader', password: plan.passwords.reader })
const recorder = createRecorder({ log, store: () => writer, lingerMs: 2 })
await recorder.start()
let clock = Date.UTC(2026, 9, 20)
const trainer = createTrainer({
  log,
  releases,
  signingKey: key,
  config,
  tenants: detection.tenants,
  paceOf: () => ({ trainAfterEvents: 1000, retrainEveryDays: 7, maxRows: 10_000 }),
  slotsOf: detection.slotsOf,
  store: () => ({ reader, access: { url: plan.url, user: 'reader', password: plan.passwords.reader } }),
  recorded: () => recorder.drained(),
  clock: () => clock++,
  intervalMs: 3_600_000,
  onPoint: (point) => {
    // The first release is statistics alone; death comes with the model.
    if (point !== plan.point || trainer.job()?.withModel !== true) return
    say(`fired ${point}`)
    process.kill(process.pid, 'SIGKILL')
  },
})
await trainer.start()
const life = [...generate({ seed: 3, days: 3, identities: 20, eventsPerIdentityDay: 40, attacks: 'none' })].map(({ event }) => event)
const drained = async (): Promise<void> => {
  await detection.drained()
}
await feed(life.slice(0, 1500), {
  log,
  tenant: 'default',
  name: 'life',
  chunk: 500,
  clock: () => clock,
  async onChunk({ events }) {
    await drained()
    if (trainer.isDue('default', events)) await trainer.settle('default')
  },
})
await trainer.settle('default')
await drained()
for (const { id, sha256, modelled } of releases.list('default')) say(`released ${id} ${sha256} ${modelled}`)
say(`in force ${detection.releaseOf('default')?.id} ${detection.releaseOf('default')?.trained}`)
await trainer.stop()
await recorder.drained()
await recorder.stop()
await detection.stop()
await log.close()
await writer.close()
await reader.close()
