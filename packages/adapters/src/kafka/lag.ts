import { PlumblineError } from '@plumbline/schemas'
import kafkajs, { type Admin } from 'kafkajs'
import { connectAdmin } from './access.ts'
import { type KafkaSettings, createKafka, kafkaError } from './client.ts'
import { fetchHeads } from './heads.ts'
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

export interface DeploymentLag {
  readonly group: string
  /** As the brokers call it: Stable, Empty, PreparingRebalance, … */
  readonly state: string
  readonly members: number
  readonly shards: readonly ShardLag[]
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
    lag: Math.max(0, next - Math.max(first, position ?? 0)),
    owner: owners.get(shard) ?? null,
  }))
  return { group, state, members, shards }
}

/** Asks the brokers how far each shard is and who holds it. Changes nothing. Errors: TOPIC_MISSING, KAFKA_UNREACHABLE and its kin. */
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
