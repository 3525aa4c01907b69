import { parentPort } from 'node:worker_threads'
import { type BlindSpotContext, type BlindSpotResult, type BlindSpotSubject, createProber, type Prober } from '@plumbline/detector/replay'
import type { ThreadAnswer } from '../one-thread.ts'

/** One identity to measure; plain data, so that it can travel to another thread. */
export interface ProbeJob {
  readonly context: BlindSpotContext
  /** Names what is in force: equal names, equal context. */
  readonly contextName: string
  readonly subject: BlindSpotSubject
}

export interface ProbeResult extends BlindSpotResult {
  /** Processor time since the last answer, ms; of the first job with the thread's own start. */
  readonly cpuMs: number
}

let spentMs = 0
/** Of this thread alone: on a busy machine the time on the wall says little. */
const cpuSince = (): number => {
  const { user, system } = process.threadCpuUsage()
  const before = spentMs
  spentMs = (user + system) / 1000
  return spentMs - before
}

let current: { readonly name: string; readonly prober: Prober } | null = null

// Entry of the thread: identities under the same release and policy follow each other, so that one detector serves them.
const probe = ({ context, contextName, subject }: ProbeJob): BlindSpotResult => {
  if (current?.name !== contextName) current = { name: contextName, prober: createProber(context) }
  return current.prober.probe(subject)
}

const answer = (job: ProbeJob): ThreadAnswer<ProbeResult> => {
  try {
    return { result: { ...probe(job), cpuMs: cpuSince() } }
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    return { ...(code === undefined ? {} : { code }), message }
  }
}

parentPort!.on('message', (job: ProbeJob) => parentPort!.postMessage(answer(job)))
