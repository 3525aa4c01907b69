import { problemText, type PolicyWatch, watchPolicy } from '@plumbline/adapters/policy'
import { type AppendRecord, type DeploymentLog, type OutboxRows, policyHash } from '@plumbline/detector'
import { type IngestPort, tenantOfValue } from '@plumbline/gateway'
import type { Logger } from '@plumbline/runtime'
import { type ControlRecord, Policy } from '@plumbline/schemas'
import { allShards } from '@plumbline/trainer'
import { type Actor, auditRow } from './audit.ts'

/** Policy a tenant's shards were last given. `count` makes control ids of equal policies differ, so that A, B, A is three changes. */
interface Given {
  readonly hash: string
  readonly count: number
}

/** A policy and its hash. */
interface Hashed {
  readonly policy: Policy
  readonly hash: string
}

const GIVEN = 'policy:given:'
/** Every policy that ever was in force, by its hash: alerts are replayed under the one they were made with. */
const BODY = 'policy:body:'
const EMPTY_HASH = policyHash(Policy.parse({}))
const encoder = new TextEncoder()

export interface Gift {
  readonly tenant: string
  readonly policy: Policy
  readonly hash: string
  readonly nowMs: number
  /** Where it comes from, for the audit log. */
  readonly by: Actor
}

type PolicyLog = Pick<DeploymentLog, 'ingest' | 'kv' | 'shards'>

/** What a tenant's change of policy writes, whole or not at all: a control record for each shard, and what is remembered of it. */
interface Change {
  readonly tenant: string
  readonly hash: string
  readonly count: number
  readonly records: readonly AppendRecord[]
  readonly values: Readonly<Record<string, Uint8Array>>
}

/** Null when the tenant has this policy. */
const changeFor = (log: PolicyLog, tenant: string, { policy, hash }: Hashed, ingestTimeMs: number): Change | null => {
  const stored = log.kv.get(GIVEN + tenant)
  const given = stored === undefined ? { hash: EMPTY_HASH, count: 0 } : (JSON.parse(Buffer.from(stored).toString()) as Given)
  if (given.hash === hash) return null
  const count = given.count + 1
  const controlId = `policy:${hash.slice(0, 32)}:${count}`
  const key = encoder.encode(`c:${controlId}`)
  const value = encoder.encode(
    JSON.stringify({ v: 1, type: 'policy', controlId, tenant, policy, policyHash: hash } satisfies ControlRecord),
  )
  return {
    tenant,
    hash,
    count,
    records: allShards(log.shards).map((shard) => ({ shard, ingestTimeMs, key, value })),
    values: {
      [BODY + hash]: encoder.encode(JSON.stringify(policy)),
      [GIVEN + tenant]: encoder.encode(JSON.stringify({ hash, count } satisfies Given)),
    },
  }
}

const toldOf = (changes: readonly Change[], by: Actor, time: number): OutboxRows => ({
  audit: changes.map(({ tenant, hash, count }) => auditRow(time, { tenant, actor: by, action: 'policy', target: hash, body: { count } })),
})

/** Gives every shard of a tenant a policy, unless it is the one in force. Resolves when on disk. */
export const givePolicy = async (log: PolicyLog, { tenant, policy, hash, nowMs, by }: Gift): Promise<boolean> => {
  const change = changeFor(log, tenant, { policy, hash }, nowMs)
  if (change === null) return false
  await log.ingest({ records: change.records, rows: toldOf([change], by, nowMs), values: change.values })
  return true
}

/** A way into the log on which a tenant's first events come after its policy, in one transaction with them. */
const ruledPort = (log: PolicyLog, port: IngestPort, inForce: Hashed): IngestPort => ({
  async ingest(batch) {
    const arrival = batch.records[0]?.ingestTimeMs ?? 0
    const opened = Object.keys(batch.values ?? {}).flatMap((name) => tenantOfValue(name) ?? [])
    const changes = opened.flatMap((tenant) => changeFor(log, tenant, inForce, arrival) ?? [])
    if (changes.length === 0) return port.ingest(batch)
    const records = changes.flatMap((change) => change.records)
    const values = Object.assign({}, batch.values, ...changes.map((change) => change.values)) as Record<string, Uint8Array>
    const rows = toldOf(changes, 'policy file', arrival)
    const result = await port.ingest({ ...batch, records: [...records, ...batch.records], rows, values })
    if (result.repeated !== undefined || result.conflict === true) return result
    return { ...result, offsets: result.offsets.slice(records.length) }
  },
})

/** A policy that was in force here, by its hash. */
export const policyOf = (log: Pick<DeploymentLog, 'kv'>, hash: string): Policy | undefined => {
  const stored = log.kv.get(BODY + hash)
  return stored === undefined ? undefined : Policy.parse(JSON.parse(Buffer.from(stored).toString()))
}

/** Hash of the policy that a tenant was given last, if it ever was given one. */
export const lastGivenHash = (log: Pick<PolicyLog, 'kv'>, tenant: string): string | null => {
  const stored = log.kv.get(GIVEN + tenant)
  return stored === undefined ? null : (JSON.parse(Buffer.from(stored).toString()) as Given).hash
}

/** The policy that a tenant was given last, if it ever was given one. */
export const lastGiven = (log: Pick<PolicyLog, 'kv'>, tenant: string): Hashed | null => {
  const hash = lastGivenHash(log, tenant)
  const policy = hash === null ? undefined : policyOf(log, hash)
  return hash === null || policy === undefined ? null : { policy, hash }
}

export interface PolicyLoaderOptions {
  readonly log: DeploymentLog
  readonly path: string
  /** Tenants the file speaks for; the first is there always. */
  readonly tenants: () => readonly string[]
  readonly clock: () => number
  readonly logger: Logger
}

/** Keeps the tenants' policy in step with the file, at positions that the log records. */
export interface PolicyLoader {
  start(): Promise<void>
  stop(): Promise<void>
  /** The same way into the log, on which a tenant that it opens has the file's policy before its first event. */
  over(port: IngestPort): IngestPort
  /** What is wrong with the file now; empty when nothing is. */
  problems(): readonly string[]
}

const NEW_TENANTS_MS = 1000

export const createPolicyLoader = ({ log, path, tenants, clock, logger }: PolicyLoaderOptions): PolicyLoader => {
  let watch: PolicyWatch | null = null
  let timer: NodeJS.Timeout | undefined
  let valid: Hashed | null = null
  let problems: readonly string[] = []
  let giving: Promise<unknown> = Promise.resolve()

  const giveAll = async (): Promise<void> => {
    if (valid === null) return
    const { policy, hash } = valid
    for (const tenant of tenants())
      if (await givePolicy(log, { tenant, policy, hash, nowMs: clock(), by: 'policy file' }))
        logger.info({ tenant, hash }, 'policy in force')
  }
  const soon = (): Promise<void> => {
    const run = giving.then(giveAll)
    giving = run.catch((error: unknown) => logger.warn({ err: error }, 'the policy could not be given out, will be tried again'))
    return run
  }

  return {
    async start() {
      watch = await watchPolicy(
        path,
        async (loaded) => {
          problems = loaded.ok ? [] : loaded.problems.map(problemText)
          if (loaded.ok) valid = { policy: loaded.policy, hash: loaded.hash }
          else valid ??= lastGiven(log, tenants()[0] ?? '')
          if (!loaded.ok) logger.warn({ path, problems }, 'the policy file has mistakes; the last valid one stays in force')
          await soon()
        },
        { onError: (error) => logger.warn({ err: error }, 'the policy file cannot be read') },
      )
      timer = setInterval(() => void soon(), NEW_TENANTS_MS)
      timer.unref()
    },
    async stop() {
      clearInterval(timer)
      watch?.close()
      await giving
    },
    over: (port) => ({ ingest: (batch) => (valid === null ? port : ruledPort(log, port, valid)).ingest(batch) }),
    problems: () => problems,
  }
}
