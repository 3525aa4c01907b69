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
export const ACL_SERVICES = ['migrate', 'front', 'worker', 'recorder', 'operator'] as const
export type AclService = (typeof ACL_SERVICES)[number]

/** A right whose name does not have the deployment's prefix yet. */
type Declared = Omit<Acl, 'pattern'> & { readonly pattern?: Acl['pattern'] }

const topic = (kind: TopicKind, operations: readonly AclOperation[], why: string): Declared => ({
  resource: 'topic',
  name: kind,
  operations,
  why,
})

/** Readers are groups of one member that store no offsets, named after what they read. */
const readers = (...kinds: readonly TopicKind[]): Declared[] =>
  kinds.map((kind) => ({ resource: 'group', name: `${kind}-reader`, pattern: 'prefixed', operations: ['Read'], why: `reads ${kind}` }))

const group = (name: string, why: string, operations: readonly AclOperation[] = ['Read']): Declared => ({
  resource: 'group',
  name,
  operations,
  why,
})

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

/** Named values are read whole, and each process that puts some has a transactional id of its own. */
const values = (why: string): Declared[] => [
  topic('values', ['Read', 'Write'], why),
  topic('models', ['Read'], 'releases'),
  ...readers('values', 'models'),
  transactions('values-', 'puts named values'),
]

const DECLARED: Readonly<Record<AclService, readonly Declared[]>> = {
  migrate: [
    {
      resource: 'topic',
      name: '',
      pattern: 'prefixed',
      operations: ['Create', 'Describe', 'DescribeConfigs'],
      why: 'creates and checks the topics',
    },
    ...values('says once what the deployment is'),
    transactions('once-', 'of several at once, one is the first'),
  ],
  front: [
    CHECK,
    topic('events', ['Read', 'Write'], 'takes events in; shows them and trains on them'),
    topic('ingest-keys', ['Read', 'Write'], 'requests that are repeated'),
    topic('state', ['Read'], 'baselines, for the page and for releases'),
    topic('alerts', ['Read', 'Write'], 'delivers them; writes incidents'),
    topic('scored', ['Read'], 'behaviour across identities'),
    topic('dead-letters', ['Write'], 'lines refused at the door'),
    topic('feedback', ['Write'], 'verdicts'),
    topic('audit', ['Write'], 'who did what'),
    ...values('policy, positions of deliveries, the signer of releases'),
    topic('models', ['Write'], 'makes releases'),
    ...readers('events', 'ingest-keys', 'state', 'alerts', 'scored'),
    group('worker', 'how far the workers are', ['Describe']),
    { ...group('forwarder:', 'how far deliveries are, for lag tools'), pattern: 'prefixed' },
    transactions('door-', 'a request, its key and its values at once'),
  ],
  worker: [
    CHECK,
    topic('events', ['Read'], 'what is scored'),
    topic('state', ['Read', 'Write'], 'baselines and position'),
    topic('scored', ['Write'], 'scored rows'),
    topic('alerts', ['Write'], 'alerts and their capsules'),
    topic('dead-letters', ['Write'], 'events that cannot be scored'),
    ...values('its progress'),
    group('worker', 'shares out the shards; positions for lag tools'),
    ...readers('events', 'state'),
    transactions('shard-', 'one transaction per chunk'),
  ],
  recorder: [
    CHECK,
    topic('scored', ['Read'], 'scored rows'),
    topic('alerts', ['Read'], 'alerts and their capsules'),
    topic('dead-letters', ['Read', 'Write'], 'dead letters, and rows that the store refuses'),
    topic('feedback', ['Read'], 'verdicts'),
    topic('audit', ['Read', 'Write'], 'who did what; that a tenant is gone'),
    ...values('which block is under way, who has which lane'),
    { ...group('recorder', 'shares out the lanes; positions for lag tools'), pattern: 'prefixed' },
    ...readers('scored', 'alerts', 'dead-letters', 'feedback', 'audit'),
  ],
  operator: [
    CHECK,
    topic('events', ['Read'], 'looks at the log'),
    topic('state', ['Read'], 'baselines of identities'),
    ...values('reads who the deployment is'),
    group('worker', 'lag and owners', ['Describe']),
    { ...group('recorder', 'the same of recorders', ['Describe']), pattern: 'prefixed' },
    ...readers('events', 'state'),
  ],
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
