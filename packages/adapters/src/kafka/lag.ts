import { PlumblineError, TOPICS, type Topic } from '@plumbline/schemas'
import kafkajs, { type Admin } from 'kafkajs'
import { connectAdmin } from './access.ts'
import { type KafkaSettings, createKafka, kafkaError } from './client.ts'
import { fetchHeads } from './heads.ts'
import { groupOf } from './outbox-cursors.ts'
import { PLACES } from './outbox-entry.ts'
import { topicNames } from './topics.ts'

/** How far one shard is. */
export interface ShardLag {
  readonly shard: number
  /** Offset of the oldest record that is still there, and after the newest that is settled. */
  readonly first: number
  readonly end: number
  /** Where its worker goes on; null: no worker has stored anything of it yet. */
  readonly position: number | null
  /** Offsets between position and end. Markers of transactions are offsets too, so there may be fewer events. */
  readonly lag: number
  /** Member of the workers' group that holds it, as `client id at host`; null: nobody. */
  readonly owner: string | null
}

/** How far the recorders are with one lane of the outbox; the same words as for a shard. */
export interface LaneLag extends Omit<ShardLag, 'shard'> {
  readonly topic: Topic
  readonly lane: number
}

export interface DeploymentLag {
  readonly group: string
  /** As the brokers call it: Stable, Empty, PreparingRebalance, … */
  readonly state: string
  readonly members: number
  readonly shards: readonly ShardLag[]
  readonly recorders: number
  readonly lanes: readonly LaneLag[]
}

export interface LagOptions {
  /** First part of all topic names. Default "plumbline". */
  readonly prefix?: string
}

interface Group {
  readonly state: string
  readonly members: number
  readonly owners: ReadonlyMap<number, string>
}

const describeGroup = async (admin: Admin, groupId: string, topic: string): Promise<Group> => {
  const { groups } = await admin.describeGroups([groupId])
  const [group] = groups
  const owners = new Map<number, string>()
  for (const { clientId, clientHost, memberAssignment } of group?.members ?? []) {
    const assignment = memberAssignment.length === 0 ? null : kafkajs.AssignerProtocol.MemberAssignment.decode(memberAssignment)
    for (const shard of assignment?.assignment[topic] ?? []) owners.set(shard, `${clientId} at ${clientHost.replace(/^\//, '')}`)
  }
  return { state: group?.state ?? 'Dead', members: group?.members.length ?? 0, owners }
}

const lagOf = (first: number, end: number, position: number | null): number => Math.max(0, end - Math.max(first, position ?? 0))

/** Lane n of every topic that has so many goes with partition n of the scored rows (docs/adr/0019). */
const lookAtLanes = async (admin: Admin, prefix: string): Promise<Pick<DeploymentLag, 'recorders' | 'lanes'>> => {
  const names = topicNames(prefix)
  const { members, owners } = await describeGroup(admin, `${prefix}.recorder-lanes`, names.scored)
  const ofTopic = async (topic: Topic): Promise<LaneLag[]> => {
    const name = names[PLACES[topic].kind]
    const [ends, [stored]] = await Promise.all([
      admin.fetchTopicOffsets(name),
      admin.fetchOffsets({ groupId: groupOf(prefix, 'recorder', topic), topics: [name] }),
    ])
    const positions = new Map(stored?.partitions.map(({ partition, offset }) => [partition, Number(offset)]))
    return ends
      .map(({ partition: lane, low, high }) => {
        const [first, end] = [Number(low), Number(high)]
        const position = (positions.get(lane) ?? -1) < 0 ? null : positions.get(lane)!
        return { topic, lane, first, end, position, lag: lagOf(first, end, position), owner: owners.get(lane) ?? null }
      })
      .sort((a, b) => a.lane - b.lane)
  }
  return { recorders: members, lanes: (await Promise.all(TOPICS.map(ofTopic))).flat() }
}

const look = async (admin: Admin, prefix: string): Promise<DeploymentLag> => {
  const topic = topicNames(prefix).events
  const group = `${prefix}.worker`
  if (!(await admin.listTopics()).includes(topic))
    throw new PlumblineError(
      'TOPIC_MISSING',
      `There is no topic ${topic}. Check kafkaPrefix, or create the topics with plumbline topics --create.`,
    )
  const [{ topics }, { state, members, owners }] = await Promise.all([
    admin.fetchTopicMetadata({ topics: [topic] }),
    describeGroup(admin, group, topic),
  ])
  const heads = await fetchHeads({ admin, topic, groupId: group, shards: topics[0]?.partitions.length ?? 0 })
  const shards = heads.map(({ first, next, position }, shard) => ({
    shard,
    first,
    end: next,
    position,
    lag: lagOf(first, next, position),
    owner: owners.get(shard) ?? null,
  }))
  return { group, state, members, shards, ...(await lookAtLanes(admin, prefix)) }
}

/** Asks the brokers how far each shard and each lane is and who holds it. Changes nothing. Errors: TOPIC_MISSING, KAFKA_UNREACHABLE and its kin. */
export const readLag = async (settings: KafkaSettings, { prefix = 'plumbline' }: LagOptions): Promise<DeploymentLag> => {
  const admin = await connectAdmin(createKafka(settings), settings)
  try {
    return await look(admin, prefix)
  } catch (error) {
    throw kafkaError('KAFKA_UNREACHABLE', 'The lag is not known.', error)
  } finally {
    await admin.disconnect()
  }
}
