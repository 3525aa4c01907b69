import type { ChunkCommit, ShardLog } from '@plumbline/detector'
import type { TopicMessages } from 'kafkajs'
import { outboxMessages, stateMessages } from './codec.ts'
import { createHeldShards } from './held.ts'
import type { OwnerOptions } from './owner-options.ts'
import { checkSizes, largeParts } from './requests.ts'
import { createStoring } from './storing.ts'
import { createTakeOvers } from './take-over.ts'

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

/**
 * Exactly once per shard (docs/adr/0016): one transactional id per shard, a barrier at take-over (take-over.ts), state, outbox
 * and position of a chunk in one transaction (storing.ts), and after any doubt a new take-over (held.ts).
 */
export const createOwner = (options: OwnerOptions): Owner => {
  const { names, partitions, slots, onPoint } = options
  const held = createHeldShards(options)
  const takeOvers = createTakeOvers(options, held)
  const storing = createStoring(options, held)

  const outboxOf = (commit: ChunkCommit): TopicMessages[] =>
    outboxMessages(commit, partitions).map(({ kind, messages }) => ({ topic: names[kind], messages }))

  return {
    checkLost(shard) {
      const error = held.lost(shard)
      if (error !== undefined) throw error
    },
    acquire: takeOvers.take,
    release: takeOvers.release,
    load(shard, key, into) {
      if (held.get(shard) === undefined) throw held.notHeld(shard)
      return slots.load(shard, key, into)
    },
    async commit(commits) {
      const chunks = commits.map((commit) => ({ commit, outbox: outboxOf(commit) }))
      // Before anything is sent: no doubt arises, and all shards stay held.
      for (const { commit, outbox } of chunks) checkSizes([...outbox, { topic: names.state, messages: stateMessages(largeParts(commit)) }])
      const perShard = Map.groupBy(chunks, ({ commit: { shard } }) => shard)
      // All of them end before the caller hears of the first failure: nothing runs on behind its next take-over.
      const ended = await Promise.allSettled([...perShard].map(([shard, own]) => storing.chunks(shard, own)))
      const failed = ended.find(({ status }) => status === 'rejected')
      if (failed !== undefined) throw (failed as PromiseRejectedResult).reason
    },
    passed(shard, position) {
      const owner = held.get(shard)
      return owner === undefined || owner.position !== position ? position : Math.max(position, owner.passed)
    },
    caughtUp: storing.caughtUp,
    settle: storing.settle,
    replay(commit) {
      const owner = held.get(commit.shard)
      if (owner === undefined) throw held.notHeld(commit.shard)
      owner.state.replayed(commit)
      onPoint('acquire:replaying', commit.shard)
    },
    async close() {
      storing.close()
      const dropAll = (): void => held.entries().forEach(([shard]) => held.drop(shard))
      dropAll()
      await takeOvers.close()
      dropAll()
      await held.left()
    },
  }
}
