import { PlumblineError } from '@plumbline/schemas'
import kafkajs, { type Admin } from 'kafkajs'
import { connectAdmin } from './access.ts'
import { type KafkaSettings, createKafka, kafkaError } from './client.ts'
import {
  LARGE,
  MAX_RECORD_BYTES,
  PER_SHARD,
  TOPIC_KINDS,
  type TopicKind,
  type TopicOptions,
  requiredPartitions,
  requiredSettings,
  topicNames,
} from './topics.ts'

/** Number of partitions of each topic that is there. */
export const partitionCounts = async (admin: Admin, names: readonly string[]): Promise<Map<string, number>> => {
  const described = await describe(admin, names)
  return new Map([...described].map(([name, { partitions }]) => [name, partitions]))
}

interface Described {
  readonly partitions: number
  /** Fewest replicas of one of its partitions. */
  readonly replicas: number
}

const describe = async (admin: Admin, names: readonly string[]): Promise<Map<string, Described>> => {
  const present = new Set(await admin.listTopics())
  const wanted = names.filter((name) => present.has(name))
  if (wanted.length === 0) return new Map()
  const { topics } = await admin.fetchTopicMetadata({ topics: wanted })
  return new Map(
    topics.map(({ name, partitions }) => [
      name,
      { partitions: partitions.length, replicas: Math.min(...partitions.map(({ replicas }) => replicas.length)) },
    ]),
  )
}

const SHOWN = ['cleanup.policy', 'retention.ms', 'message.timestamp.type', 'max.message.bytes', 'min.insync.replicas']

const settingsThere = async (admin: Admin, names: readonly string[]): Promise<Map<string, Record<string, string>>> => {
  if (names.length === 0) return new Map()
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: names.map((name) => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name, configNames: SHOWN })),
  })
  return new Map(
    resources.map(({ resourceName, configEntries }) => [
      resourceName,
      Object.fromEntries(configEntries.map(({ configName, configValue }) => [configName, configValue])),
    ]),
  )
}

/** One topic as it is, and what keeps this deployment from using it. */
export interface TopicReport {
  readonly kind: TopicKind
  readonly name: string
  /** null: it is not there. */
  readonly partitions: number | null
  readonly replicas: number | null
  readonly settings: Readonly<Record<string, string>>
  /** What refuses to start, with what to do about it. */
  readonly problems: readonly PlumblineError[]
}

const partitionProblem = (kind: TopicKind, name: string, there: number, shards: number): PlumblineError | undefined => {
  const wanted = requiredPartitions(kind, shards)
  if (wanted === null || wanted === there) return undefined
  if (!PER_SHARD.includes(kind)) {
    const text = `Topic ${name} has ${there} partitions; it must have one, so that what it holds has one order for everybody. Use another topic prefix.`
    return new PlumblineError('TOPIC_PARTITIONS', text)
  }
  return new PlumblineError(
    'TOPIC_PARTITIONS',
    `Topic ${name} has ${there} partitions, but this deployment is set to ${shards} shards, and one partition is one shard. ` +
      `Set the number of shards to ${there}, or move to another number with \`plumbline repartition\`. Do not add partitions to a topic in use: identities would change shards and lose what was learned about them.`,
  )
}

const settingProblem = (topic: string, setting: string, there: string, wanted: string): PlumblineError =>
  new PlumblineError(
    'TOPIC_SETTINGS',
    `Topic ${topic} has ${setting}=${there}; it must be ${wanted}. Change it with kafka-configs.sh --alter, then start again.`,
  )

/** Brokers give lists in an order of their own. */
const sameSetting = (there: string, wanted: string): boolean => there.split(',').sort().join() === wanted.split(',').sort().join()

const settingProblems = (kind: TopicKind, name: string, there: Readonly<Record<string, string>>): PlumblineError[] => {
  const value = (setting: string): string => there[setting] ?? ''
  const wrong = Object.entries(requiredSettings(kind)).filter(([setting, wanted]) => !sameSetting(value(setting), wanted))
  const problems = wrong.map(([setting, wanted]) => settingProblem(name, setting, value(setting), wanted))
  if (LARGE.includes(kind) && Number(value('max.message.bytes')) < MAX_RECORD_BYTES)
    problems.push(settingProblem(name, 'max.message.bytes', value('max.message.bytes'), `at least ${MAX_RECORD_BYTES}`))
  return problems
}

const inspect = async (admin: Admin, { prefix, shards }: TopicOptions): Promise<TopicReport[]> => {
  const names = topicNames(prefix)
  const described = await describe(admin, Object.values(names))
  const settings = await settingsThere(admin, [...described.keys()])
  return TOPIC_KINDS.map((kind) => {
    const name = names[kind]
    const there = described.get(name)
    if (there === undefined) {
      const missing = new PlumblineError(
        'TOPIC_MISSING',
        `There is no topic ${name}. Create the topics with plumbline migrate, or check the prefix.`,
      )
      return { kind, name, partitions: null, replicas: null, settings: {}, problems: [missing] }
    }
    const own = settings.get(name) ?? {}
    const count = partitionProblem(kind, name, there.partitions, shards)
    return { kind, name, ...there, settings: own, problems: [...(count === undefined ? [] : [count]), ...settingProblems(kind, name, own)] }
  })
}

/** Looks at all topics of a deployment without changing anything. Error: KAFKA_UNREACHABLE. */
export const inspectTopics = async (settings: KafkaSettings, options: TopicOptions): Promise<readonly TopicReport[]> => {
  const admin = await connectAdmin(createKafka(settings), settings)
  try {
    return await inspect(admin, options)
  } catch (error) {
    throw kafkaError('KAFKA_UNREACHABLE', 'The topics cannot be looked at.', error)
  } finally {
    await admin.disconnect()
  }
}

/** What to do where topics are not there, or are not to be seen. */
export const topicsMissing = (missing: readonly string[]): PlumblineError =>
  new PlumblineError(
    'TOPIC_MISSING',
    `There is no topic ${missing.join(', ')}. Create the topics with plumbline migrate, check the prefix, or let the user of this process see them (docs/security.md).`,
  )

/**
 * Checks all topics. Returns the number of partitions of each. Errors: TOPIC_MISSING, TOPIC_PARTITIONS, TOPIC_SETTINGS.
 */
export const checkTopics = async (admin: Admin, options: TopicOptions): Promise<ReadonlyMap<TopicKind, number>> => {
  const reports = await inspect(admin, options)
  const problems = reports.flatMap((report) => report.problems)
  const missing = reports.filter(({ partitions }) => partitions === null).map(({ name }) => name)
  if (missing.length > 0) throw topicsMissing(missing)
  if (problems[0] !== undefined) throw problems[0]
  return new Map(reports.map(({ kind, partitions }) => [kind, partitions ?? 0]))
}
