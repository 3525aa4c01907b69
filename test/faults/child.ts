/**
 * The process that gets killed: log, worker and recorder of a real deployment, plus a sender that repeats every request
 * it has no answer for. Prints one line per answered batch; at the named point it kills itself with SIGKILL.
 * Arguments: JSON of ChildPlan.
 */
import { writeSync } from 'node:fs'
import { connect } from '@plumbline/adapters/clickhouse'
import { createRecorder } from '../../services/recorder/src/index.ts'
import { createWorker } from '../../services/worker/src/index.ts'
import { openEmbeddedLog } from '../../packages/adapters/src/lmdb/log.ts'
import { storeApart } from './broken.ts'
import { createChainProcessor } from './chain.ts'
import { createRealDetector } from './company.ts'
import { type Requests, SHARDS, batchOf, readCompany } from './plan.ts'

export interface ChildPlan {
  readonly dir: string
  readonly seed: number
  readonly from: number
  readonly to: number
  /** Point to die at, and at which of its hits; null runs to the end. */
  readonly point: string | null
  readonly hit: number
  readonly broken: boolean
  /** File of generated events for the real detector; null for the chain. */
  readonly company: string | null
  readonly url: string
  readonly password: string
}

/** Requests under way at once. */
const WINDOW = 3

const say = (line: string): void => void writeSync(1, `${line}\n`)

const plan = JSON.parse(process.argv[2] ?? '') as ChildPlan
let hits = 0
const onPoint = (point: string): void => {
  if (point !== plan.point || ++hits !== plan.hit) return
  say(`fired ${point}`)
  process.kill(process.pid, 'SIGKILL')
}

const log = await openEmbeddedLog({ dir: plan.dir, shards: SHARDS, onPoint }, plan.broken ? storeApart : undefined)
const store = connect({ url: plan.url, user: 'recorder', password: plan.password, timeoutMs: 5_000 })
const worker = createWorker({
  log,
  processor: plan.company === null ? createChainProcessor(log) : createRealDetector(log, log.masterKey),
  shards: Array.from({ length: SHARDS }, (_, shard) => shard),
  chunkRecords: 25,
  onRecords: log.onRecords,
  onPoint,
  onFailure: (failure) => say(`worker ${failure.code} ${failure.message}`),
})
const recorder = createRecorder({
  log,
  store: () => store,
  lingerMs: 2,
  blockBytes: 8_192,
  maxBackoffMs: 200,
  onPoint,
  onFailure: (failure) => say(`recorder ${failure.topic} ${failure.code} ${failure.message}`),
})
worker.start()
await recorder.start()
say('up')

const requests: Requests = plan.company === null ? (batch) => batchOf(plan.seed, batch) : readCompany(plan.company)
const send = async (batch: number): Promise<void> => {
  onPoint('sender:before')
  const answer = Buffer.from(`ok ${batch}`)
  await log.ingest({ records: requests(batch), idempotency: { tenant: 'faults', key: `batch-${batch}`, answer, nowMs: 1_700_000_000_000 } })
  onPoint('sender:answered')
  say(`ack ${batch}`)
}
for (let batch = plan.from; batch < plan.to; batch += WINDOW) {
  await Promise.all(Array.from({ length: Math.min(WINDOW, plan.to - batch) }, (_, i) => send(batch + i)))
}
await worker.drained()
await recorder.drained()
await worker.stop()
await recorder.stop()
await store.close()
await log.close()
say('done')
