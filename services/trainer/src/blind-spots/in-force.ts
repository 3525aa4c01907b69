import { DETECTOR_VERSION, type DeploymentLog, hashKeyOf } from '@plumbline/detector'
import type { Change, DetectionConfig, Policy } from '@plumbline/schemas'
import { inForceOf, type ReleaseStore } from '../releases.ts'
import type { ProbeJob } from './thread.ts'

export interface InForceOptions {
  readonly log: Pick<DeploymentLog, 'masterKey'>
  readonly releases: ReleaseStore
  readonly config: DetectionConfig
  /** Hash of the policy that the tenant was given last; null: the empty one. */
  policyHashOf(tenant: string): string | null
  policyOf(tenant: string): { readonly policy: Policy; readonly hash: string } | null
  /** Announced changes that nobody withdrew. */
  changesOf(tenant: string): readonly Change[]
}

/** What makes a result one of yesterday. */
export interface Stamp {
  readonly releaseId: string
  readonly policyHash: string
  readonly detectorVersion: string
}

type Context = Pick<ProbeJob, 'context' | 'contextName'>

/** What is in force for tenants, each looked up once. */
export interface InForceNow {
  stamp(tenant: string): Stamp
  /** Of the tenant asked for last it is kept. */
  context(tenant: string): Context
}

const NO_RELEASE = 'release-0'

export const createInForceNow = (options: InForceOptions): InForceNow => {
  const { log, releases, config } = options
  const stamps = new Map<string, Stamp>()
  let last: { readonly tenant: string; readonly context: Context } | null = null

  const stampOf = (tenant: string): Stamp => ({
    releaseId: inForceOf(releases.list(tenant))?.id ?? NO_RELEASE,
    policyHash: options.policyHashOf(tenant) ?? '',
    detectorVersion: DETECTOR_VERSION,
  })

  const contextOf = (tenant: string): Context => {
    const entry = inForceOf(releases.list(tenant))
    const bytes = entry === undefined ? undefined : releases.artifact(entry.id, entry.sha256)
    const policy = options.policyOf(tenant) ?? undefined
    const changes = options.changesOf(tenant)
    const release = entry === undefined || bytes === undefined ? undefined : { id: entry.id, bytes }
    return {
      contextName: JSON.stringify([tenant, entry?.sha256 ?? '', policy?.hash ?? '', changes]),
      context: { tenant, config, masterKey: hashKeyOf(log), release, policy, changes: [...changes] },
    }
  }

  return {
    stamp(tenant) {
      const known = stamps.get(tenant) ?? stampOf(tenant)
      stamps.set(tenant, known)
      return known
    },
    context(tenant) {
      if (last?.tenant !== tenant) last = { tenant, context: contextOf(tenant) }
      return last.context
    },
  }
}
