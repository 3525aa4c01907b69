import type { ChunkCommit, ShardLog } from '@plumbline/detector'
import { PlumblineError } from '@plumbline/schemas'
import type { Admin, Kafka, Producer, TopicMessages } from 'kafkajs'
import { type KafkaCompression, isFenced, kafkaError } from './client.ts'
import { outboxMessages, passedMessage, stateMessages } from './codec.ts'
import type { PartitionReader } from './reader.ts'
import { checkSizes, cutRequests, largeParts } from './requests.ts'
import { type RestoredState, restoreState } from './restore.ts'
import {
  type Chunk,
  type ConnectProducer,
  type GroupOffset,
  type KafkaPoint,
  checkCommit,
  stale,
  storeChunk,
  tellOffset,
  writeBarrier,
} from './shard.ts'
import type { SlotCache } from './slots.ts'
import { type ShardSnapshot, type SnapshotOptions, type StatePart, createShardSnapshot } from './snapshots.ts'
import type { TopicKind, TopicNames } from './topics.ts'

/** What a take-over found. */
export interface TakeOver {
  readonly shard: number
  readonly nextOffset: number
  /** Where its state ends, at most `nextOffset`: what lies between is computed once more. */
  readonly stateOffset: number
  /** Version of the detector that made the state, where the topic says it; what is computed once more is computed by this build. */
  readonly stateBy: string | null
  /** Offset of the consumer group, -1 without one. Differs from `nextOffset` only when somebody moved it by hand. */
  readonly groupOffset: number
  /** Records and bytes of the state topic that were read, and how long all of it took. */
  readonly records: number
  readonly bytes: number
  readonly tookMs: number
}

export interface OwnerOptions {
  readonly kafka: Kafka
  readonly admin: Admin
  readonly names: TopicNames
  /** Number of partitions of each topic. */
  readonly partitions: ReadonlyMap<TopicKind, number>
  readonly state: PartitionReader
  readonly slots: SlotCache
  readonly prefix: string
  readonly groupId: string
  readonly compression: KafkaCompression
  readonly requestBytes: number
  readonly snapshots: SnapshotOptions | undefined
  readonly detectorVersion: string
  readonly connect: ConnectProducer
  readonly onAcquired: (taken: TakeOver) => void
  /** What is added to offsets of the events topic to get positions (bases.ts). */
  readonly baseOf: (shard: number) => number
  /** Position behind the markers that follow a position; see EventReader. */
  readonly passed: (shard: number, position: number) => number
  /** A shard was dropped or is about to be taken anew. */
  readonly onDropped: (shard: number) => void
  /** A shard was lost while nobody was busy with it: whoever works on it must hear of it. */
  readonly onLost: (shard: number) => void
  readonly onPoint: (point: KafkaPoint, shard: number) => void
}

/** The side of the log that belongs to one owner per shard. */
export interface Owner extends Omit<Required<ShardLog>, 'read'> {
  /** Throws SHARD_FENCED or SHARD_NOT_HELD for a shard that was lost since it was taken over. */
  checkLost(shard: number): void
  /** Position up to which only markers follow `position`, where that is the shard's; else the same. */
  passed(shard: number, position: number): number
  /** Everything that is there is stored, and only markers follow: lets the group's offset pass them, so that the lag is none. */
  caughtUp(shard: number): void
  /** Writes state that is behind the outputs, of all shards held. What fails is made up for at the next take-over. */
  settle(): Promise<void>
  release(shards: readonly number[]): Promise<void>
  close(): Promise<void>
}

/** How often shards without chunks are looked at for state to save. */
const SAVE_LOOK_MS = 1_000

/** A chunk with what it puts out, as records. */
interface Prepared {
  readonly commit: ChunkCommit
  readonly outbox: readonly TopicMessages[]
}

interface Held {
  readonly producer: Producer
  readonly state: ShardSnapshot
  position: number
  /** The group's offset. */
  told: number
  /** Up to here only markers follow the position, as the state topic says. */
  passed: number
  telling: Promise<void> | null
  storing: boolean
}

/** Group offsets are stored with a position and no other way: without one, the state is gone under outputs that are there. */
const stateMissing = (shard: number, group: number, topic: string, groupId: string): PlumblineError =>
  new PlumblineError(
    'STATE_MISSING',
    `The state of shard ${shard} is gone: group ${groupId} has processed up to ${group}, and ${topic} names no position. From the beginning all ` +
      `alerts and rows would be put out again. Restore a backup under another prefix; where nothing was ever processed, or all shall be again, delete the offsets of that group.`,
  )

/**
 * Exactly once per shard (docs/adr/0016): one transactional id per shard, a barrier at take-over, state, outbox and position
 * of a chunk in one transaction, and after any doubt a new take-over.
 */
export const createOwner = (options: OwnerOptions): Owner => {
  const { kafka, admin, names, partitions, state, slots, prefix, groupId, onAcquired, onDropped, onPoint } = options
  const held = new Map<number, Held>()
  /** Why shards are not held any more that nobody was busy with, until they are taken over or let go. */
  const lost = new Map<number, PlumblineError>()
  const turns = new Map<number, Promise<unknown>>()
  const leaving = new Set<Promise<void>>()
  /** Take-overs under way: who lets a shard go does not wait for its state. */
  const restoring = new Map<number, AbortController>()

  /** Take-overs and releases of a shard one after the other: two at once would mix their slots in the cache. */
  const inTurn = <T>(shard: number, work: () => Promise<T>): Promise<T> => {
    const next = (turns.get(shard) ?? Promise.resolve()).then(work, work)
    turns.set(shard, next)
    return next
  }

  const leave = (producer: Producer): void => {
    const left = producer
      .disconnect()
      .catch(() => {})
      .then(() => void leaving.delete(left))
    leaving.add(left)
  }

  const drop = (shard: number): void => {
    const owner = held.get(shard)
    held.delete(shard)
    if (owner !== undefined) leave(owner.producer)
    onDropped(shard)
  }

  const groupOffset = async (shard: number): Promise<number> => {
    const [topic] = await admin.fetchOffsets({ groupId, topics: [names.events] })
    const offset = Number(topic?.partitions.find(({ partition }) => partition === shard)?.offset ?? -1)
    return offset < 0 ? offset : offset + options.baseOf(shard)
  }

  const groupOffsetOf = (shard: number, position: number): GroupOffset => ({
    groupId,
    topic: names.events,
    offset: position - options.baseOf(shard),
  })

  const restoreBehindBarrier = async (producer: Producer, shard: number, letGo: AbortSignal): Promise<RestoredState> => {
    const barrier = await writeBarrier(producer, names.state, shard, (point) => onPoint(point, shard))
    onPoint('acquire:barrier', shard)
    await slots.clear(shard)
    const restored = await restoreState(state, slots, shard, barrier, letGo)
    onPoint('acquire:restored', shard)
    return restored
  }

  const takeOver = async (shard: number): ReturnType<ShardLog['acquire']> => {
    drop(shard)
    lost.delete(shard)
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
      held.set(shard, { producer, state, position: nextOffset, told: group, telling: null, storing: false, passed })
      onAcquired({ shard, nextOffset, stateOffset: from, stateBy, groupOffset: group, records, bytes, tookMs: performance.now() - begun })
      return from < nextOffset ? { nextOffset: from, replayTo: nextOffset, meta } : { nextOffset, meta }
    } catch (cause) {
      if (producer !== undefined) leave(producer)
      throw isFenced(cause)
        ? kafkaError('SHARD_FENCED', `Another worker has taken shard ${shard} over meanwhile.`, cause)
        : kafkaError('SHARD_ACQUIRE_FAILED', `Shard ${shard} could not be taken over.`, cause)
    } finally {
      if (restoring.get(shard) === own) restoring.delete(shard)
    }
  }

  const outboxOf = (commit: ChunkCommit): TopicMessages[] =>
    outboxMessages(commit, partitions).map(({ kind, messages }) => ({ topic: names[kind], messages }))

  const chunkOf = ({ commit, outbox }: Prepared, { messages }: StatePart): Chunk => {
    const { shard, nextOffset } = commit
    const offset = options.passed(shard, nextOffset)
    const requests = cutRequests(
      [...outbox, { topic: names.state, messages: offset > nextOffset ? [...messages, passedMessage(shard, offset)] : messages }],
      options.requestBytes,
    )
    return { shard, nextOffset, requests, offset: groupOffsetOf(shard, offset) }
  }

  const notHeld = (shard: number): PlumblineError =>
    lost.get(shard) ?? new PlumblineError('SHARD_NOT_HELD', `Shard ${shard} is not held here. Acquire it first.`, { retryable: true })

  /** `saving`: state alone, as of where outputs end already. */
  const store = async (prepared: Prepared, owner: Held, saving = false): Promise<void> => {
    const { commit } = prepared
    const { shard, nextOffset } = commit
    checkCommit(commit, saving ? owner.position - 1 : owner.position)
    if (owner.state.replaying()) throw stale(`The state of shard ${shard} is behind ${owner.position}: replay up to there first.`)
    const part = owner.state.part(commit, performance.now(), saving)
    const chunk = chunkOf(prepared, part)
    await storeChunk(owner.producer, chunk, options.compression, (point) => onPoint(point, shard))
    if (held.get(shard) !== owner) throw notHeld(shard)
    owner.state.stored(commit, part, performance.now())
    owner.position = nextOffset
    owner.told = chunk.offset.offset + options.baseOf(shard)
    owner.passed = owner.told
  }

  /** The producer of an idle shard cannot be used any more: whoever works on the shard is told to take it anew, or that it has another owner. */
  const lose = (shard: number, owner: Held, cause: unknown): void => {
    if (held.get(shard) !== owner) return
    drop(shard)
    const fenced = isFenced(cause) || (cause as { code?: unknown } | null)?.code === 'SHARD_FENCED'
    const message = fenced ? `Shard ${shard} has another owner now.` : `Shard ${shard} was lost while it was idle. Acquire it again.`
    lost.set(shard, new PlumblineError(fenced ? 'SHARD_FENCED' : 'SHARD_NOT_HELD', message, { retryable: true, cause }))
    options.onLost(shard)
  }

  const tell = async (shard: number, owner: Held, offset: number): Promise<void> => {
    try {
      await tellOffset(owner.producer, shard, groupOffsetOf(shard, offset), {
        topic: names.state,
        messages: [passedMessage(shard, offset)],
      })
      owner.passed = offset
      owner.told = offset
    } catch (error) {
      lose(shard, owner, error)
    }
    owner.telling = null
  }

  /** A transaction with state alone. */
  const save = async (shard: number, owner: Held, change: ChunkCommit): Promise<void> => {
    try {
      await store({ commit: change, outbox: [] }, owner, true)
    } catch (error) {
      lose(shard, owner, error)
    }
    owner.telling = null
  }

  /** Begins to save the state of a shard that nobody is busy with. */
  const saveIdle = (shard: number, owner: Held, nowMs?: number): void => {
    if (owner.storing || owner.telling !== null) return
    const change = owner.state.overdue(nowMs)
    if (change !== null) owner.telling = save(shard, owner, { ...change, scored: null, alerts: [], capsules: [], deadLetters: [] })
  }
  const timer = setInterval(() => {
    for (const [shard, owner] of held) saveIdle(shard, owner, performance.now())
  }, SAVE_LOOK_MS)
  timer.unref()

  /** Chunks of one shard, in order; after the first that fails the shard is no longer held. */
  const storeInOrder = async (shard: number, chunks: readonly Prepared[]): Promise<void> => {
    const owner = held.get(shard)
    if (owner === undefined) throw notHeld(shard)
    await owner.telling
    if (held.get(shard) !== owner) throw notHeld(shard)
    owner.storing = true
    try {
      for (const chunk of chunks) await store(chunk, owner)
    } catch (error) {
      if (held.get(shard) === owner) drop(shard)
      throw error
    } finally {
      owner.storing = false
    }
  }

  return {
    checkLost(shard) {
      const error = lost.get(shard)
      if (error !== undefined) throw error
    },
    acquire: (shard) => inTurn(shard, () => takeOver(shard)),
    load(shard, key, into) {
      if (!held.has(shard)) throw notHeld(shard)
      return slots.load(shard, key, into)
    },
    async commit(commits) {
      const chunks = commits.map((commit) => ({ commit, outbox: outboxOf(commit) }))
      // Before anything is sent: no doubt arises, and all shards stay held.
      for (const { commit, outbox } of chunks) checkSizes([...outbox, { topic: names.state, messages: stateMessages(largeParts(commit)) }])
      const perShard = Map.groupBy(chunks, ({ commit: { shard } }) => shard)
      // All of them end before the caller hears of the first failure: nothing runs on behind its next take-over.
      const ended = await Promise.allSettled([...perShard].map(([shard, own]) => storeInOrder(shard, own)))
      const failed = ended.find(({ status }) => status === 'rejected')
      if (failed !== undefined) throw (failed as PromiseRejectedResult).reason
    },
    passed(shard, position) {
      const owner = held.get(shard)
      return owner === undefined || owner.position !== position ? position : Math.max(position, owner.passed)
    },
    caughtUp(shard) {
      const owner = held.get(shard)
      if (owner === undefined || owner.storing || owner.telling !== null) return
      const offset = options.passed(shard, owner.position)
      // The group's offset alone proves nothing: an older build, or somebody by hand, may have moved it.
      if (offset > owner.position && (offset > owner.passed || offset > owner.told)) owner.telling = tell(shard, owner, offset)
    },
    replay(commit) {
      const owner = held.get(commit.shard)
      if (owner === undefined) throw notHeld(commit.shard)
      owner.state.replayed(commit)
      onPoint('acquire:replaying', commit.shard)
    },
    async settle() {
      const settled = [...held].map(async ([shard, owner]) => {
        await owner.telling
        if (held.get(shard) === owner) saveIdle(shard, owner)
        await owner.telling
      })
      await Promise.all(settled)
    },
    async release(shards) {
      const release = async (shard: number): Promise<void> => {
        drop(shard)
        lost.delete(shard)
        await slots.clear(shard)
      }
      for (const shard of shards) restoring.get(shard)?.abort()
      await Promise.all(shards.map((shard) => inTurn(shard, () => release(shard))))
    },
    async close() {
      clearInterval(timer)
      for (const own of restoring.values()) own.abort()
      for (const shard of held.keys()) drop(shard)
      await Promise.allSettled(turns.values())
      for (const shard of held.keys()) drop(shard)
      await Promise.all(leaving)
    },
  }
}
