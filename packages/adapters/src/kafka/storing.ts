import type { ChunkCommit } from '@plumbline/detector'
import type { TopicMessages } from 'kafkajs'
import { passedMessage } from './codec.ts'
import type { Held, HeldShards } from './held.ts'
import type { OwnerOptions } from './owner-options.ts'
import { cutRequests } from './requests.ts'
import { type Chunk, type GroupOffset, checkCommit, stale, storeChunk, tellOffset } from './shard.ts'
import type { StatePart } from './snapshots.ts'

/** How often shards without chunks are looked at for state to save. */
const SAVE_LOOK_MS = 1_000

/** A chunk with what it puts out, as records. */
export interface Prepared {
  readonly commit: ChunkCommit
  readonly outbox: readonly TopicMessages[]
}

/** Transactions of the shards held: chunks, state alone, and where the group's offset is. */
export interface Storing {
  /** Chunks of one shard, in order; after the first that fails the shard is no longer held. */
  chunks(shard: number, chunks: readonly Prepared[]): Promise<void>
  /** Lets the group's offset pass markers that follow, where everything before them is stored. */
  caughtUp(shard: number): void
  /** Writes all state that is behind the outputs. */
  settle(): Promise<void>
  close(): void
}

export const createStoring = (options: OwnerOptions, held: HeldShards): Storing => {
  const { names, groupId, onPoint } = options

  const groupOffsetOf = (shard: number, position: number): GroupOffset => ({
    groupId,
    topic: names.events,
    offset: position - options.baseOf(shard),
  })

  const chunkOf = ({ commit, outbox }: Prepared, { messages }: StatePart): Chunk => {
    const { shard, nextOffset } = commit
    const offset = options.passed(shard, nextOffset)
    const requests = cutRequests(
      [...outbox, { topic: names.state, messages: offset > nextOffset ? [...messages, passedMessage(shard, offset)] : messages }],
      options.requestBytes,
    )
    return { shard, nextOffset, requests, offset: groupOffsetOf(shard, offset) }
  }

  /** `saving`: state alone, as of where outputs end already. */
  const store = async (prepared: Prepared, owner: Held, saving = false): Promise<void> => {
    const { commit } = prepared
    const { shard, nextOffset } = commit
    checkCommit(commit, saving ? owner.position - 1 : owner.position)
    if (owner.state.replaying()) throw stale(`The state of shard ${shard} is behind ${owner.position}: replay up to there first.`)
    const part = owner.state.part(commit, performance.now(), saving)
    const chunk = chunkOf(prepared, part)
    await storeChunk(owner.producer, chunk, options.compression, (point) => onPoint(point, shard))
    if (!held.is(shard, owner)) throw held.notHeld(shard)
    owner.state.stored(commit, part, performance.now())
    owner.position = nextOffset
    owner.told = chunk.offset.offset + options.baseOf(shard)
    owner.passed = owner.told
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
      held.lose(shard, owner, error)
    }
    owner.telling = null
  }

  /** A transaction with state alone. */
  const save = async (shard: number, owner: Held, change: ChunkCommit): Promise<void> => {
    try {
      await store({ commit: change, outbox: [] }, owner, true)
    } catch (error) {
      held.lose(shard, owner, error)
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
    for (const [shard, owner] of held.entries()) saveIdle(shard, owner, performance.now())
  }, SAVE_LOOK_MS)
  timer.unref()

  const storeInOrder = async (shard: number, chunks: readonly Prepared[]): Promise<void> => {
    const owner = held.get(shard)
    if (owner === undefined) throw held.notHeld(shard)
    await owner.telling
    if (!held.is(shard, owner)) throw held.notHeld(shard)
    owner.storing = true
    try {
      for (const chunk of chunks) await store(chunk, owner)
    } catch (error) {
      if (held.is(shard, owner)) held.drop(shard)
      throw error
    } finally {
      owner.storing = false
    }
  }

  return {
    chunks: storeInOrder,
    caughtUp(shard) {
      const owner = held.get(shard)
      if (owner === undefined || owner.storing || owner.telling !== null) return
      const offset = options.passed(shard, owner.position)
      // The group's offset alone proves nothing: an older build, or somebody by hand, may have moved it.
      if (offset > owner.position && (offset > owner.passed || offset > owner.told)) owner.telling = tell(shard, owner, offset)
    },
    async settle() {
      const settled = held.entries().map(async ([shard, owner]) => {
        await owner.telling
        if (held.is(shard, owner)) saveIdle(shard, owner)
        await owner.telling
      })
      await Promise.all(settled)
    },
    close: () => clearInterval(timer),
  }
}
