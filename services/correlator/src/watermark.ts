import type { DeploymentLog } from '@plumbline/detector'

/** A shard that has something waiting, and does not move for so long, holds up the others no more: what comes of it later is late. */
const STUCK_MS = 60_000

export interface Watermark {
  /** Rows of the shard that arrived up to then were read. */
  note(shard: number, arrival: number): void
  /** Nothing that arrived before then is missing, as far as can be known; 0 before the first row. */
  now(isRead: (shard: number) => boolean): number
  entries(): (readonly [number, number])[]
}

/**
 * Up to when all shards are read. A shard without anything waiting holds up nothing. While there is nothing at all, time goes on
 * as it does outside, from the newest arrival: else the last window would never be closed.
 */
export const createWatermark = (
  log: Pick<DeploymentLog, 'shards' | 'head'>,
  clock: () => number,
  known: Iterable<readonly [number, number]> = [],
): Watermark => {
  const arrivals = new Map(known)
  const moved = new Map<number, number>()
  let newest = Math.max(0, ...arrivals.values())
  let newestAt = clock()

  const isHeldUp = (shard: number, isRead: (shard: number) => boolean): boolean => {
    const { next, position } = log.head(shard)
    if (position >= next && isRead(shard)) {
      moved.delete(shard)
      return false
    }
    const since = moved.get(shard) ?? clock()
    moved.set(shard, since)
    return clock() - since < STUCK_MS
  }

  return {
    note(shard, arrival) {
      if (arrival <= (arrivals.get(shard) ?? 0)) return
      arrivals.set(shard, arrival)
      moved.set(shard, clock())
      if (arrival <= newest) return
      newest = arrival
      newestAt = clock()
    },
    now(isRead) {
      const waiting = Array.from({ length: log.shards }, (_, shard) => shard).filter((shard) => isHeldUp(shard, isRead))
      if (waiting.length === 0) return newest === 0 ? 0 : newest + (clock() - newestAt)
      return Math.min(newest, ...waiting.map((shard) => arrivals.get(shard) ?? 0))
    },
    entries: () => [...arrivals],
  }
}
