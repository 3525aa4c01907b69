import { PlumblineError } from '@plumbline/schemas'
import type { PartitionReader } from './reader.ts'
import type { ReadRecord } from './record.ts'

/** What to read of a topic: offsets from `from` up to, not including, `to`. */
export interface Range {
  readonly topic: string
  readonly partition: number
  readonly from: number
  readonly to: number
}

/** Without anything for so long reading is given up. */
const SILENCE_MS = 30_000

/** Reads the committed records of a range in order. What `take` throws ends it. Error: TOPIC_UNREADABLE (retryable). */
export const scanRange = (reader: PartitionReader, range: Range, take: (messages: readonly ReadRecord[]) => void): Promise<void> =>
  new Promise((resolve, reject) => {
    const { topic, partition, from, to } = range
    if (from >= to) return resolve()
    const silence = (): NodeJS.Timeout =>
      setTimeout(() => {
        const message = `Nothing of partition ${partition} of ${topic} came for ${SILENCE_MS / 1000} s.`
        finish(() => reject(new PlumblineError('TOPIC_UNREADABLE', message, { retryable: true })))
      }, SILENCE_MS)
    let timer = silence()
    const finish = (settle: () => void): void => {
      clearTimeout(timer)
      stream.close()
      settle()
    }
    const stream = reader.open(partition, from, {
      onRecords(messages, position) {
        clearTimeout(timer)
        timer = silence()
        try {
          take(messages.filter(({ offset }) => offset < to))
        } catch (error) {
          return finish(() => reject(error as Error))
        }
        if (position >= to) finish(resolve)
      },
      // The beginning may have been removed, and compaction leaves holes. Who cannot bear a gap checks the bounds before.
      onGap: () => true,
      onFailed: (error) => finish(() => reject(error)),
    })
  })
