import { PlumblineError } from '@plumbline/schemas'

/** Work that is done one batch after the other; what comes in one turn, or while a batch is under way, shares the next one. */
export interface Queue<J> {
  push(job: J): void
  /** Takes no more, and waits for what is there. */
  close(): Promise<void>
}

/** `work` settles its jobs itself and never throws. A batch has at most `limit` bytes, or one job. */
export const createQueue = <J extends { readonly bytes: number }>(limit: number, work: (jobs: readonly J[]) => Promise<void>): Queue<J> => {
  let jobs: J[] = []
  let running: Promise<void> | null = null
  let closed = false

  const take = (): J[] => {
    let bytes = 0
    let n = 0
    while (n < jobs.length && (n === 0 || bytes + jobs[n]!.bytes <= limit)) bytes += jobs[n++]!.bytes
    const batch = jobs.slice(0, n)
    jobs = jobs.slice(n)
    return batch
  }

  const drain = async (): Promise<void> => {
    await new Promise<void>((resolve) => setImmediate(resolve))
    while (jobs.length > 0) await work(take())
    running = null
  }

  return {
    push(job) {
      if (closed) throw new PlumblineError('STORE_CLOSED', 'The log is closed.')
      jobs.push(job)
      running ??= drain()
    },
    async close() {
      closed = true
      while (running !== null) await running
    },
  }
}
