import type { ShardLog } from '@plumbline/detector'
import { PlumblineError } from '@plumbline/schemas'
import type { Producer } from 'kafkajs'
import { isFenced, kafkaError } from './client.ts'
import type { HeldShards } from './held.ts'
import type { OwnerOptions } from './owner-options.ts'
import { type RestoredState, restoreState } from './restore.ts'
import { writeBarrier } from './shard.ts'
import { createShardSnapshot } from './snapshots.ts'

/** Group offsets are stored with a position and no other way: without one, the state is gone under outputs that are there. */
const stateMissing = (shard: number, group: number, topic: string, groupId: string): PlumblineError =>
  new PlumblineError(
    'STATE_MISSING',
    `The state of shard ${shard} is gone: group ${groupId} has processed up to ${group}, and ${topic} names no position. From the beginning all ` +
      `alerts and rows would be put out again. Restore a backup under another prefix; where nothing was ever processed, or all shall be again, delete the offsets of that group.`,
  )

/** Takes shards over, one after the other each, and lets them go. */
export interface TakeOvers {
  take(shard: number): ReturnType<ShardLog['acquire']>
  release(shards: readonly number[]): Promise<void>
  /** Gives up those under way and waits for them. */
  close(): Promise<void>
}

export const createTakeOvers = (options: OwnerOptions, held: HeldShards): TakeOvers => {
  const { kafka, admin, names, state, slots, prefix, groupId, onAcquired, onPoint } = options
  const turns = new Map<number, Promise<unknown>>()
  /** Take-overs under way: who lets a shard go does not wait for its state. */
  const restoring = new Map<number, AbortController>()

  /** Take-overs and releases of a shard one after the other: two at once would mix their slots in the cache. */
  const inTurn = <T>(shard: number, work: () => Promise<T>): Promise<T> => {
    const next = (turns.get(shard) ?? Promise.resolve()).then(work, work)
    turns.set(shard, next)
    return next
  }

  const groupOffset = async (shard: number): Promise<number> => {
    const [topic] = await admin.fetchOffsets({ groupId, topics: [names.events] })
    const offset = Number(topic?.partitions.find(({ partition }) => partition === shard)?.offset ?? -1)
    return offset < 0 ? offset : offset + options.baseOf(shard)
  }

  const restoreBehindBarrier = async (producer: Producer, shard: number, letGo: AbortSignal): Promise<RestoredState> => {
    const barrier = await writeBarrier(producer, names.state, shard, (point) => onPoint(point, shard))
    onPoint('acquire:barrier', shard)
    await slots.clear(shard)
    const restored = await restoreState(state, slots, shard, barrier, letGo)
    onPoint('acquire:restored', shard)
    return restored
  }

  const takeOver = async (shard: number): ReturnType<ShardLog['acquire']> => {
    held.drop(shard)
    held.forgetLost(shard)
    const begun = performance.now()
    const own = new AbortController()
    restoring.set(shard, own)
    const { signal } = own
    let producer: Producer | undefined
    try {
      onPoint('acquire:begin', shard)
      producer = await options.connect(kafka, `${prefix}.shard-${shard}`)
      const { nextOffset, named, snapshot, passed, meta, records, bytes } = await restoreBehindBarrier(producer, shard, signal)
      const group = await groupOffset(shard)
      if (!named && group > 0) throw stateMissing(shard, group, names.state, groupId)
      const from = snapshot?.offset ?? nextOffset
      const stateBy = snapshot?.detector ?? null
      const state = createShardSnapshot({
        shard,
        slots,
        snapshots: options.snapshots,
        detector: options.detectorVersion,
        fromDetector: stateBy,
        from,
        nextOffset,
        named: snapshot !== null,
        nowMs: performance.now(),
      })
      held.hold(shard, { producer, state, position: nextOffset, told: group, telling: null, storing: false, passed })
      onAcquired({ shard, nextOffset, stateOffset: from, stateBy, groupOffset: group, records, bytes, tookMs: performance.now() - begun })
      return from < nextOffset ? { nextOffset: from, replayTo: nextOffset, meta } : { nextOffset, meta }
    } catch (cause) {
      if (producer !== undefined) held.leave(producer)
      throw isFenced(cause)
        ? kafkaError('SHARD_FENCED', `Another worker has taken shard ${shard} over meanwhile.`, cause)
        : kafkaError('SHARD_ACQUIRE_FAILED', `Shard ${shard} could not be taken over.`, cause)
    } finally {
      if (restoring.get(shard) === own) restoring.delete(shard)
    }
  }

  const release = async (shard: number): Promise<void> => {
    held.drop(shard)
    held.forgetLost(shard)
    await slots.clear(shard)
  }

  return {
    take: (shard) => inTurn(shard, () => takeOver(shard)),
    async release(shards) {
      for (const shard of shards) restoring.get(shard)?.abort()
      await Promise.all(shards.map((shard) => inTurn(shard, () => release(shard))))
    },
    async close() {
      for (const own of restoring.values()) own.abort()
      await Promise.allSettled(turns.values())
    },
  }
}
