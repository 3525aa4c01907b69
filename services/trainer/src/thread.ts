import { parentPort } from 'node:worker_threads'
import { connect } from '@plumbline/adapters/clickhouse'
import { type BuiltRelease, buildRelease, MIN_CALIBRATION_SCORES } from '@plumbline/training'
import { type Appraisal, checkTraining, compareOn, enoughHeldOut } from './appraisal.ts'
import { type History, quietRows, readHistory, splitHistory } from './history.ts'
import type { Job, JobResult } from './job.ts'

const DAY_MS = 86_400_000
const LEAST_ROWS = 4 * MIN_CALIBRATION_SCORES

const build = (job: Job, history: History, withModel: boolean): Promise<BuiltRelease> => {
  const events = history.alerted.length
  const days = Math.max(0.25, (history.toTime - history.fromTime) / DAY_MS)
  return buildRelease({
    tenant: job.tenant,
    sequence: job.sequence,
    rows: history.rows,
    alerted: history.alerted,
    groups: history.groups,
    eventsPerDay: Math.max(1, events / days),
    slots: job.slots,
    groupNames: new Map(job.groupNames),
    config: job.config,
    seed: 0,
    createdFrom: { positions: { ...job.positions }, events, fromTime: history.fromTime, toTime: history.toTime },
    withModel,
  })
}

/**
 * A model is trained on all but the newest rows when there is one to hold it against: those newest rows neither may have seen, and
 * what is judged by them is what is released.
 */
const makeModel = async (job: Job, history: History): Promise<{ readonly built: BuiltRelease; readonly appraisal: Appraisal }> => {
  const { training, heldOut } = splitHistory(history)
  const compared = job.inForce !== null && enoughHeldOut(heldOut) && quietRows(training) >= LEAST_ROWS
  const used = compared ? training : history
  const built = await build(job, used, true)
  const checks = checkTraining(job.tenant, used, job.inForce)
  if (compared && job.inForce !== null) return { built, appraisal: { checks, shadow: compareOn(built.bytes, job.inForce, heldOut) } }
  const notCompared = job.inForce === null ? 'no model was in force' : 'too few rows to hold any out'
  return { built, appraisal: { checks, shadow: null, notCompared } }
}

// Entry of the training thread: each message is a job, each answer its result or what went wrong.
const train = async (job: Job): Promise<JobResult> => {
  const store = connect(job.store)
  try {
    const history = await readHistory(store, job.tenant, job.maxRows)
    const modelled = job.withModel && quietRows(history) >= LEAST_ROWS
    const made = modelled ? await makeModel(job, history) : { built: await build(job, history, false), appraisal: null }
    const { id, sha256, bytes } = made.built
    return { id, sha256, bytes, modelled, rows: history.alerted.length, toTime: history.toTime, appraisal: made.appraisal }
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
