import type { EmbeddedLog } from '@plumbline/adapters/lmdb'
import { problemText, type PolicyWatch, watchPolicy } from '@plumbline/adapters/policy'
import { policyHash } from '@plumbline/detector'
import type { Logger } from '@plumbline/runtime'
import { Policy } from '@plumbline/schemas'
import { allShards, announce } from '@plumbline/trainer'

/** Policy a tenant's shards were last given. `count` makes control ids of equal policies differ, so that A, B, A is three changes. */
interface Given {
  readonly hash: string
  readonly count: number
}

const GIVEN = 'policy:given:'
/** Every policy that ever was in force, by its hash: alerts are replayed under the one they were made with. */
const BODY = 'policy:body:'
const EMPTY_HASH = policyHash(Policy.parse({}))

/** Gives every shard of a tenant a policy, unless it is the one in force. Resolves when on disk. */
export const givePolicy = async (log: EmbeddedLog, tenant: string, policy: Policy, hash: string, nowMs: number): Promise<boolean> => {
  const stored = log.kv.get(GIVEN + tenant)
  const given = stored === undefined ? { hash: EMPTY_HASH, count: 0 } : (JSON.parse(Buffer.from(stored).toString()) as Given)
  if (given.hash === hash) return false
  const count = given.count + 1
  await log.kv.put({ [BODY + hash]: Buffer.from(JSON.stringify(policy)) })
  const controlId = `policy:${hash.slice(0, 32)}:${count}`
  await announce(log, {
    record: { v: 1, type: 'policy', controlId, tenant, policy, policyHash: hash },
    shards: allShards(log.shards),
    nowMs,
    nonce: log.id,
  })
  await log.kv.put({ [GIVEN + tenant]: Buffer.from(JSON.stringify({ hash, count } satisfies Given)) })
  await log.publish('audit', [{ time: nowMs, tenant, actor: 'policy file', action: 'policy', target: hash, body: { count } }])
  return true
}

/** A policy that was in force here, by its hash. */
export const policyOf = (log: Pick<EmbeddedLog, 'kv'>, hash: string): Policy | undefined => {
  const stored = log.kv.get(BODY + hash)
  return stored === undefined ? undefined : Policy.parse(JSON.parse(Buffer.from(stored).toString()))
}

export interface PolicyLoaderOptions {
  readonly log: EmbeddedLog
  readonly path: string
  /** Tenants the file speaks for. */
  readonly tenants: () => readonly string[]
  readonly clock: () => number
  readonly logger: Logger
}

/** Keeps the tenants' policy in step with the file, at positions that the log records. */
export interface PolicyLoader {
  start(): Promise<void>
  stop(): Promise<void>
  /** What is wrong with the file now; empty when nothing is. */
  problems(): readonly string[]
}

const NEW_TENANTS_MS = 1000

export const createPolicyLoader = ({ log, path, tenants, clock, logger }: PolicyLoaderOptions): PolicyLoader => {
  let watch: PolicyWatch | null = null
  let timer: NodeJS.Timeout | undefined
  let valid: { policy: Policy; hash: string } | null = null
  let problems: readonly string[] = []
  let giving: Promise<unknown> = Promise.resolve()
  const done = new Map<string, string>()

  const giveAll = async (): Promise<void> => {
    if (valid === null) return
    const { policy, hash } = valid
    for (const tenant of tenants()) {
      if (done.get(tenant) === hash) continue
      const changed = await givePolicy(log, tenant, policy, hash, clock())
      done.set(tenant, hash)
      if (changed) logger.info({ tenant, hash }, 'policy in force')
    }
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
          else logger.warn({ path, problems }, 'the policy file has mistakes; the last valid one stays in force')
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
    problems: () => problems,
  }
}
