import { parentPort } from 'node:worker_threads'
import { connect } from '@plumbline/adapters/clickhouse'
import { FEATURE_COUNT } from '@plumbline/schemas'
import { buildRelease, MIN_CALIBRATION_SCORES } from '@plumbline/training'
import { readHistory } from './history.ts'
import type { Job, JobResult } from './job.ts'

const DAY_MS = 86_400_000

// Entry of the training thread: each message is a job, each answer its result or what went wrong.
const train = async (job: Job): Promise<JobResult> => {
  const store = connect(job.store)
  try {
    const history = await readHistory(store, job.tenant, job.maxRows)
    const rows = history.rows.length / FEATURE_COUNT
    const quiet = rows - history.alerted.reduce((n, a) => n + (a === 0 ? 0 : 1), 0)
    const modelled = job.withModel && quiet >= 4 * MIN_CALIBRATION_SCORES
    const days = Math.max(0.25, (history.toTime - history.fromTime) / DAY_MS)
    const { id, sha256, bytes } = await buildRelease({
      tenant: job.tenant,
      sequence: job.sequence,
      rows: history.rows,
      alerted: history.alerted,
      groups: history.groups,
      eventsPerDay: Math.max(1, rows / days),
      slots: job.slots,
      groupNames: new Map(job.groupNames),
      config: job.config,
      seed: 0,
      createdFrom: { positions: { ...job.positions }, events: rows, fromTime: history.fromTime, toTime: history.toTime },
      withModel: modelled,
    })
    return { id, sha256, bytes, modelled, rows, toTime: history.toTime }
  } finally {
    await store.close()
  }
}

const answer = async (job: Job): Promise<void> => {
  try {
    parentPort!.postMessage({ result: await train(job) })
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    parentPort!.postMessage({ code, message })
  }
}

parentPort!.on('message', (job: Job) => void answer(job))
