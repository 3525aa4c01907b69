import type { TopicKind } from './topics.ts'

/** A right at the brokers. `Read`, `Write`, `Alter` and `Delete` bring `Describe` with them. */
export type AclOperation = 'Read' | 'Write' | 'Create' | 'Delete' | 'Describe' | 'DescribeConfigs'

export interface Acl {
  readonly resource: 'topic' | 'group' | 'transactional-id'
  readonly name: string
  /** `prefixed`: also of everything whose name begins so. */
  readonly pattern: 'literal' | 'prefixed'
  readonly operations: readonly AclOperation[]
  /** What the service does with it, for the page. */
  readonly why: string
}

/** Who speaks to the brokers: each has a user of its own. */
export const ACL_SERVICES = ['migrate', 'worker', 'recorder', 'front', 'operator'] as const
export type AclService = (typeof ACL_SERVICES)[number]

type Declared = Omit<Acl, 'pattern'> & { readonly pattern?: Acl['pattern'] }

const topic = (kind: TopicKind, operations: readonly AclOperation[], why: string): Declared => ({
  resource: 'topic',
  name: kind,
  operations,
  why,
})

/** Readers are groups of one member that store no offsets, named after what they read. */
const readers = (...kinds: readonly TopicKind[]): Declared[] =>
  kinds.map((kind) => ({
    resource: 'group',
    name: `${kind}-reader-`,
    pattern: 'prefixed',
    operations: ['Read'],
    why: `reads ${kind}`,
  }))

const transactions = (name: string, why: string): Declared => ({
  resource: 'transactional-id',
  name,
  pattern: 'prefixed',
  operations: ['Write'],
  why,
})

/** Every process looks at all topics before it begins: a wrong one is refused at the start. */
const CHECK: Declared = {
  resource: 'topic',
  name: '',
  pattern: 'prefixed',
  operations: ['Describe', 'DescribeConfigs'],
  why: 'checks the topics at the start',
}

const DECLARED: Readonly<Record<AclService, readonly Declared[]>> = {
  migrate: [
    {
      resource: 'topic',
      name: '',
      pattern: 'prefixed',
      operations: ['Create', 'Describe', 'DescribeConfigs'],
      why: 'creates and checks the topics',
    },
  ],
  worker: [
    CHECK,
    topic('events', ['Read'], 'what is scored'),
    topic('state', ['Read', 'Write'], 'baselines and position'),
    topic('scored', ['Write'], 'scored rows'),
    topic('alerts', ['Write'], 'alerts and their capsules'),
    topic('dead-letters', ['Write'], 'events that cannot be scored'),
    topic('models', ['Read'], 'releases'),
    topic('values', ['Read', 'Write'], 'who the deployment is; its progress'),
    { resource: 'group', name: 'worker', operations: ['Read'], why: 'shares out the shards; offsets for lag tools' },
    ...readers('events', 'state', 'models', 'values'),
    transactions('shard-', 'one transaction per chunk'),
  ],
  recorder: [],
  front: [],
  operator: [],
}

/** What a service may do, and must be allowed, in a deployment of this prefix. */
export const aclsOf = (service: AclService, prefix = 'plumbline'): readonly Acl[] =>
  DECLARED[service].map(({ name, pattern = 'literal', ...rest }) => ({ ...rest, pattern, name: `${prefix}.${name}` }))

/** Arguments of Kafka's own kafka-acls.sh, one line per right. */
export const aclCommands = (service: AclService, principal: string, prefix?: string): readonly string[] =>
  aclsOf(service, prefix).map(({ resource, name, pattern, operations }) =>
    [
      'kafka-acls.sh --bootstrap-server "$BROKER" --command-config "$ADMIN"',
      `--add --allow-principal '${principal.replaceAll("'", "'\\''")}'`,
      ...operations.map((operation) => `--operation ${operation}`),
      `--${resource} ${name} --resource-pattern-type ${pattern}`,
    ].join(' '),
  )
