import type { Consumer, Kafka } from 'kafkajs'
import { type KafkaSettings, MEMBER_RETRY, createKafka, kafkaError } from './client.ts'
import { topicNames } from './topics.ts'

export interface ShardGroupOptions {
  /** First part of all topic names. Default "plumbline". */
  readonly prefix?: string
  readonly shards: number
  /** Default: prefix + ".worker", the group that the log stores offsets for. */
  readonly groupId?: string
  /** Without a sign of life for so long a member is out, ms. Default 10,000. */
  readonly sessionMs?: number
  /** These shards are this process's from now on. */
  readonly onAssigned: (shards: readonly number[]) => void
  /** These shards are somebody else's: stop, forget, store nothing. */
  readonly onRevoked: (shards: readonly number[]) => void
  /** The group cannot be rejoined; all shards were revoked. */
  readonly onFailed: (error: Error) => void
}

/**
 * Membership of a worker in the group that shares out the shards. It reads nothing: all its partitions are paused, records are
 * read by position (events.ts). Safety does not rest on it: two members that both believe a shard is theirs are told apart
 * by the shard's transactional id.
 */
export interface ShardGroup {
  owned(): readonly number[]
  /** Leaves, so that others take over at once; revokes what was owned. */
  leave(): Promise<void>
}

const HEARTBEATS_PER_SESSION = 5
const POLL_MS = 200

const createMember = (kafka: Kafka, groupId: string, sessionMs: number, mayRestart: () => boolean): Consumer =>
  kafka.consumer({
    groupId,
    sessionTimeout: sessionMs,
    heartbeatInterval: Math.ceil(sessionMs / HEARTBEATS_PER_SESSION),
    rebalanceTimeout: sessionMs,
    maxWaitTimeInMs: POLL_MS,
    allowAutoTopicCreation: false,
    retry: { ...MEMBER_RETRY, restartOnFailure: () => Promise.resolve(mayRestart()) },
  })

/** Joins the group; resolves after the first assignment was told, which may be empty. */
export const createShardGroup = async (settings: KafkaSettings, options: ShardGroupOptions): Promise<ShardGroup> => {
  const { prefix, shards, groupId = `${prefix ?? 'plumbline'}.worker`, sessionMs = 10_000, onAssigned, onRevoked, onFailed } = options
  const topic = topicNames(prefix).events
  const all = Array.from({ length: shards }, (_, shard) => shard)
  let left = false
  const member = createMember(createKafka(settings), groupId, sessionMs, () => !left)
  let owned = new Set<number>()

  const become = (now: ReadonlySet<number>): void => {
    const lost = [...owned].filter((shard) => !now.has(shard))
    const gained = [...now].filter((shard) => !owned.has(shard))
    owned = new Set(now)
    if (lost.length > 0) onRevoked(lost)
    if (gained.length > 0) onAssigned(gained)
  }

  const joined = new Promise<void>((resolve, reject) => {
    const { GROUP_JOIN, CRASH } = member.events
    member.on(GROUP_JOIN, ({ payload: { memberAssignment } }) => {
      member.pause([{ topic, partitions: all }])
      become(new Set(memberAssignment[topic] ?? []))
      resolve()
    })
    member.on(CRASH, ({ payload: { error, restart } }) => {
      // It has left the group: others may own its shards by now.
      become(new Set())
      if (restart) return
      const failure = kafkaError('KAFKA_GROUP_LOST', `This worker cannot be a member of ${groupId} any more.`, error)
      onFailed(failure)
      reject(failure)
    })
  })
  joined.catch(() => {})

  const leave = async (): Promise<void> => {
    left = true
    await member.disconnect()
    become(new Set())
  }

  try {
    await member.connect()
    await member.subscribe({ topic, fromBeginning: true })
    await member.run({ autoCommit: false, eachBatch: () => Promise.resolve() })
    await joined
  } catch (error) {
    await leave().catch(() => {})
    throw kafkaError('KAFKA_UNREACHABLE', `The group ${groupId} cannot be joined.`, error)
  }

  return {
    owned: () => [...owned].sort((a, b) => a - b),
    leave,
  }
}
