import { setTimeout as sleep } from 'node:timers/promises'
import { FeedAnswer, type FeedHeader, PlumblineError, SettleAnswer, type SettleRequest } from '@plumbline/schemas'
import type { Api } from './api.ts'

const NEWLINE = Buffer.from('\n')
const PAUSE_MS = 100

type Taken = Extract<FeedAnswer, { state: 'taken' }>

const equal = (a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): boolean =>
  Object.entries(a).every(([name, value]) => b[name] === value)

/**
 * Sends one request of events until it is taken, however long a training keeps it waiting. Throws FEED_MOVED when somebody
 * else feeds the same files.
 */
export const feedOnce = async (
  operator: Api,
  header: FeedHeader,
  events: readonly Uint8Array[],
  onLearning: () => void,
): Promise<Taken> => {
  const body = Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), ...events.flatMap((bytes) => [bytes, NEWLINE])])
  for (;;) {
    const answer = FeedAnswer.parse(await operator.post('/v1/operator/feed', body))
    if (answer.state === 'taken') return answer
    if (answer.state === 'elsewhere') {
      // An answer was lost: the events are in.
      if (equal(header.to, answer.places))
        return { state: 'taken', arrival: header.arrival, accepted: events.length, rejected: 0, errors: [] }
      throw new PlumblineError('FEED_MOVED', 'somebody else feeds the same files; run the command again when that has ended')
    }
    onLearning()
    await sleep(PAUSE_MS)
  }
}

/**
 * Resolves once everything of these tenants is scored, what is due is released, and all of it is stored. `complete`: the
 * release in force is then of all that there is.
 */
export const settle = async (operator: Api, tenants: Iterable<string>, complete: boolean, onLearning: () => void): Promise<void> => {
  const body = JSON.stringify({ tenants: [...tenants], complete } satisfies SettleRequest)
  for (;;) {
    const answer = SettleAnswer.parse(await operator.post('/v1/operator/settle', body))
    if (answer.done) return
    if (answer.learning) onLearning()
    await sleep(PAUSE_MS)
  }
}
