import { setTimeout as sleep } from 'node:timers/promises'
import type { TrainedRelease } from '../lib/release.ts'
import { type BenchBroker, benchPrefix, committed, removeTopics } from './broker.ts'
import { topicNames, openKafkaLog } from '@plumbline/adapters/kafka'
import { ensureBenchTopics } from './topics.ts'
import { giveRelease, startWorker } from './worker.ts'

const SHARDS = 64
const SETTLE_MS = 5_000
const WATCH_MS = 15_000

export interface Idle {
  readonly shards: number
  /** Share of one core that a worker uses for each shard it holds while nothing happens. */
  readonly corePerShard: number
}

/** A worker that holds many shards on which nothing happens. */
export const idleCost = async (broker: BenchBroker, release: TrainedRelease): Promise<Idle> => {
  process.stderr.write(`${SHARDS} idle shards …\n`)
  const prefix = benchPrefix()
  await ensureBenchTopics(broker, prefix, SHARDS)
  const controls = await giveRelease(broker, prefix, SHARDS, release)
  const log = await openKafkaLog({ brokers: broker.brokers }, { prefix, shards: SHARDS })
  await log.append(controls)
  await log.close()
  const worker = startWorker(broker, prefix, SHARDS, { chunk: 1_000 })
  while ((await committed(broker.admin, `${prefix}.worker`, topicNames(prefix).events)) < controls.length) await sleep(100)
  await sleep(SETTLE_MS)
  const before = worker.cpuSeconds()
  await sleep(WATCH_MS)
  const used = worker.cpuSeconds() - before
  await worker.stop()
  await removeTopics(broker.admin, prefix)
  return { shards: SHARDS, corePerShard: used / (WATCH_MS / 1000) / SHARDS }
}
