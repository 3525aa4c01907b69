import kafkajs, { type Admin } from 'kafkajs'
import { type KafkaSettings, createKafka, kafkaError } from './client.ts'
import { joinGroup } from './member.ts'
import { topicNames } from './topics.ts'

interface GroupOptions {
  /** First part of all topic names. Default "plumbline". */
  readonly prefix?: string
  /** Without a sign of life for so long a member is out, ms. Default 10,000. */
  readonly sessionMs?: number
  /** These shards are this process's from now on. */
  readonly onAssigned: (shards: readonly number[]) => void
  /** These shards are somebody else's: stop, forget, store nothing. */
  readonly onRevoked: (shards: readonly number[]) => void
  /** The group cannot be joined at the moment; it is tried again. All shards were revoked before. */
  readonly onFailed: (error: Error) => void
}

export interface ShardGroupOptions extends GroupOptions {
  readonly shards: number
  /** Default: prefix + ".worker", the group that the log stores offsets for. */
  readonly groupId?: string
}

/** As for shards, with lanes of the outbox in their place: recorders share out the partitions of `scored`. */
export interface LaneGroupOptions extends GroupOptions {
  readonly lanes: number
}

/**
 * Membership of a worker in the group that shares out the shards. It reads nothing: all its partitions are paused, records are
 * read by position (events.ts). Safety does not rest on it: two members that both believe a shard is theirs are told apart
 * by the shard's transactional id.
 */
export interface ShardGroup {
  owned(): readonly number[]
  /** Whether it takes part, as far as it knows: false from its failure until it has joined again. */
  isMember(): boolean
  /**
   * Whether the coordinator has the shard down as this member's at this moment; a paused process believes what is no longer so.
   * False while the group shares out anew. Error: KAFKA_UNREACHABLE.
   */
  owns(shard: number): Promise<boolean>
  /** Leaves, so that others take over at once; revokes what was owned. */
  leave(): Promise<void>
}

const HEARTBEATS_PER_SESSION = 5
const POLL_MS = 200

interface Shared extends GroupOptions {
  readonly topic: string
  readonly partitions: number
  readonly groupId: string
}

const join = async (settings: KafkaSettings, options: Shared): Promise<ShardGroup> => {
  const { topic, partitions: count, groupId, sessionMs = 10_000, onAssigned, onRevoked, onFailed } = options
  const all = Array.from({ length: count }, (_, partition) => partition)
  let owned = new Set<number>()

  const become = (now: ReadonlySet<number>): void => {
    const lost = [...owned].filter((partition) => !now.has(partition))
    const gained = [...now].filter((partition) => !owned.has(partition))
    owned = new Set(now)
    if (lost.length > 0) onRevoked(lost)
    if (gained.length > 0) onAssigned(gained)
  }

  const config = {
    groupId,
    sessionTimeout: sessionMs,
    heartbeatInterval: Math.ceil(sessionMs / HEARTBEATS_PER_SESSION),
    rebalanceTimeout: sessionMs,
    maxWaitTimeInMs: POLL_MS,
  }
  const kafka = createKafka(settings)
  let self = ''
  let isMember = false
  const member = await joinGroup(kafka, topic, config, {
    onJoined(partitions, consumer, memberId) {
      self = memberId
      isMember = true
      consumer.pause([{ topic, partitions: all }])
      become(new Set(partitions))
    },
    onBatch() {},
    onEmpty() {},
    // It has left the group: others may own its partitions by now.
    onStopped() {
      isMember = false
      become(new Set())
    },
    onFailed: (error) => onFailed(kafkaError('KAFKA_UNREACHABLE', `This process is no member of ${groupId} now.`, error)),
  })
  const admin = kafka.admin()
  return {
    owned: () => [...owned].sort((a, b) => a - b),
    isMember: () => isMember,
    async owns(shard) {
      if (!owned.has(shard)) return false
      try {
        await admin.connect()
        return (await assignedTo(admin, groupId, self, topic)).includes(shard)
      } catch (error) {
        throw kafkaError('KAFKA_UNREACHABLE', `Whose shard ${shard} is cannot be asked.`, error)
      }
    },
    async leave() {
      await member.leave()
      await admin.disconnect()
    },
  }
}

/** Shards that the coordinator has assigned to a member; none while the group is not settled. */
const assignedTo = async (admin: Admin, groupId: string, memberId: string, topic: string): Promise<readonly number[]> => {
  const { groups } = await admin.describeGroups([groupId])
  const group = groups.find((one) => one.groupId === groupId)
  const member = group?.members.find((one) => one.memberId === memberId)
  if (group?.state !== 'Stable' || member === undefined) return []
  return kafkajs.AssignerProtocol.MemberAssignment.decode(member.memberAssignment)?.assignment[topic] ?? []
}

/** Joins the group; resolves after the first assignment was told, which may be empty. Error: KAFKA_UNREACHABLE. */
export const createShardGroup = (settings: KafkaSettings, options: ShardGroupOptions): Promise<ShardGroup> => {
  const { prefix = 'plumbline', shards, groupId = `${prefix}.worker` } = options
  return join(settings, { ...options, topic: topicNames(prefix).events, partitions: shards, groupId })
}

/**
 * The same for recorders. The group is another one than that of their offsets, which the broker takes from outside only while
 * it has no members.
 */
export const createLaneGroup = (settings: KafkaSettings, options: LaneGroupOptions): Promise<ShardGroup> => {
  const { prefix = 'plumbline', lanes } = options
  return join(settings, { ...options, topic: topicNames(prefix).scored, partitions: lanes, groupId: `${prefix}.recorder-lanes` })
}
