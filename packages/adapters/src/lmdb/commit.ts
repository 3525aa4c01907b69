import type { ChunkCommit } from '@plumbline/detector'
import { PlumblineError } from '@plumbline/schemas'
import { SHARD_POSITION, SHARD_STATE, shardKey, slotKey } from './codec.ts'
import type { Environment } from './environment.ts'
import { publishJson } from './ingest.ts'
import { type Heads, writeShardHead } from './staging.ts'
import type { WriteOp, Writer } from './writer.ts'

export const SLOT_KEY_BYTES = 8
const MAX_STATE_NAME = 400

const refuse = (code: string, message: string): never => {
  throw new PlumblineError(code, message, { retryable: true })
}

/**
 * Refuses a commit that does not start where the last one of its shard ended: it was computed by a former owner or
 * from a state that is no longer true.
 */
const checkCommit = (heads: Heads, commit: ChunkCommit, positions: Map<number, number>): void => {
  const { shard, nextOffset, scored } = commit
  const from = positions.get(shard) ?? heads.stagedShard(shard).position
  if (nextOffset <= from)
    refuse('COMMIT_STALE', `Shard ${shard} is at ${from}; a commit to ${nextOffset} comes too late. Acquire the shard again.`)
  if (nextOffset > heads.stagedShard(shard).next)
    refuse('COMMIT_AHEAD', `Shard ${shard} ends at ${heads.stagedShard(shard).next}; a commit cannot reach ${nextOffset}.`)
  if (scored !== null && (scored.firstOffset < from || scored.lastOffset >= nextOffset)) {
    refuse(
      'COMMIT_STALE',
      `Shard ${shard} is at ${from}; scored rows ${scored.firstOffset}-${scored.lastOffset} lie outside the chunk. Acquire the shard again.`,
    )
  }
  for (const slot of commit.slots) {
    if (slot.key.length !== SLOT_KEY_BYTES) refuse('SLOT_KEY_INVALID', `A slot key has ${slot.key.length} bytes, not ${SLOT_KEY_BYTES}.`)
  }
  for (const { name } of commit.meta) {
    if (Buffer.byteLength(name) > MAX_STATE_NAME)
      refuse('STATE_NAME_INVALID', `The name of a shard state is longer than ${MAX_STATE_NAME} bytes.`)
  }
  positions.set(shard, nextOffset)
}

/** What a chunk puts out: slots, named state, outbox. */
export const writeOutputs = (env: Environment, heads: Heads, commit: ChunkCommit): void => {
  const { shard } = commit
  for (const slot of commit.slots)
    env.slots.putSync(slotKey(shard, slot.key), Buffer.from(slot.bytes.buffer, slot.bytes.byteOffset, slot.bytes.length))
  for (const { name, bytes } of commit.meta) env.shards.putSync(shardKey(shard, SHARD_STATE, name), Buffer.from(bytes))
  if (commit.scored !== null && commit.scored.rows > 0) {
    const { firstOffset, lastOffset, rows, schemaVersion, bytes } = commit.scored
    heads.publish('scored', { shard, firstOffset, lastOffset, rows, schemaVersion, payload: bytes })
  }
  for (const alert of commit.alerts) publishJson(heads, 'alerts', shard, alert.replay.position.offset, alert)
  for (const capsule of commit.capsules) publishJson(heads, 'capsules', shard, capsule.replay.position.offset, capsule)
  for (const letter of commit.deadLetters) publishJson(heads, 'dead-letters', shard, letter.offset, letter)
}

export const writePosition = (env: Environment, heads: Heads, { shard, nextOffset }: ChunkCommit): void => {
  heads.stagedShard(shard).position = nextOffset
  writeShardHead(env, shard, SHARD_POSITION, nextOffset)
}

const sizeOf = (commit: ChunkCommit): number =>
  (commit.scored?.bytes.length ?? 0) + commit.slots.reduce((sum, slot) => sum + slot.bytes.length + 64, 0) + commit.capsules.length * 16_384

/** How chunks reach the tables. The only one in use is `storeTogether`; the negative control of the fault tests has another. */
export type StoreChunks = (env: Environment, heads: Heads, writer: Writer, commits: readonly ChunkCommit[]) => Promise<void>

export const storeTogether: StoreChunks = (env, heads, writer, commits) => writer.run(commitOp(env, heads, commits))

/** All chunks in one transaction: slots, named state, outbox and position of each, or nothing of any. */
const commitOp = (env: Environment, heads: Heads, commits: readonly ChunkCommit[]): WriteOp<void> => ({
  kind: 'commit',
  bytes: commits.reduce((sum, commit) => sum + sizeOf(commit), 0),
  check() {
    const positions = new Map<number, number>()
    for (const commit of commits) checkCommit(heads, commit, positions)
  },
  apply() {
    for (const commit of commits) {
      writeOutputs(env, heads, commit)
      writePosition(env, heads, commit)
    }
  },
})
