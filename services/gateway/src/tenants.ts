import { PlumblineError, type Rejection, rejection } from '@plumbline/schemas'

export interface TenantLimits {
  /** Tenants of the instance, whoever opened them. */
  readonly perInstance: number
  /** Tenants that one credential may open. */
  readonly perToken: number
}

export const TENANT_LIMITS: TenantLimits = { perInstance: 1000, perToken: 64 }

/** What one request holds of the ledger until it is durable or has failed. */
export interface TenantClaim {
  /** Null when events may go to the tenant; it is then opened when it is new. */
  admit(tenant: string): Rejection | null
  /** Named values to be stored with the request: the tenants that it opens. */
  readonly values: Readonly<Record<string, Uint8Array>>
  /** To be called once: whether the request was stored. What only a failed request opened is closed again. */
  settle(stored: boolean): void
}

/** Which tenants there are, and which credential opened each: a token cannot make the service keep state without end. */
export interface TenantLedger {
  claim(credentialId: string): TenantClaim
  /** Takes in what is stored from earlier: names of values, see `tenantOf`, and tenants that came another way. */
  load(stored: Iterable<readonly [tenant: string, credentialId: string]>): void
  /** Forgets a tenant that was removed. */
  close(tenant: string): void
}

/** Of events that name none: always open and never counted, so that nobody can take its place. */
const DEFAULT_TENANT = 'default'
const PREFIX = 'tenant:'
export const tenantValueName = (tenant: string): string => PREFIX + tenant
/** The tenant that a stored value is about, or undefined. */
export const tenantOfValue = (name: string): string | undefined => (name.startsWith(PREFIX) ? name.slice(PREFIX.length) : undefined)

interface Entry {
  readonly owner: string
  stored: boolean
  /** Requests under way that rely on it. */
  holders: number
}

/** A name that differs from another by its spaces alone would be taken for it. */
const ODD_SPACES = /^ | $| {2}/

export const createTenantLedger = (limits: TenantLimits = TENANT_LIMITS): TenantLedger => {
  const tenants = new Map<string, Entry>()
  const opened = new Map<string, number>()

  const open = (tenant: string, owner: string, stored: boolean): Entry => {
    const entry = { owner, stored, holders: 0 }
    tenants.set(tenant, entry)
    opened.set(owner, (opened.get(owner) ?? 0) + 1)
    return entry
  }
  const close = (tenant: string): void => {
    const entry = tenants.get(tenant)
    if (entry === undefined) return
    tenants.delete(tenant)
    opened.set(entry.owner, (opened.get(entry.owner) ?? 1) - 1)
  }
  const refusal = (tenant: string, owner: string): Rejection | null => {
    if (ODD_SPACES.test(tenant)) return rejection('FIELD_INVALID', 'tenant', 'must not begin or end with a space or have two in a row')
    if (tenants.size >= limits.perInstance)
      return rejection('TENANT_LIMIT', 'tenant', `is new, and there are ${limits.perInstance} tenants already`)
    if ((opened.get(owner) ?? 0) >= limits.perToken)
      return rejection('TENANT_LIMIT', 'tenant', `is new, and this token has opened ${limits.perToken} tenants already`)
    return null
  }

  return {
    load(stored) {
      for (const [tenant, owner] of stored) {
        if (tenant === DEFAULT_TENANT) continue
        const known = tenants.get(tenant)
        if (known === undefined) open(tenant, owner, true)
        else known.stored = true
      }
    },
    close,
    claim(owner) {
      const held = new Map<string, Entry>()
      const values: Record<string, Uint8Array> = {}
      let settled = false
      return {
        values,
        admit(tenant) {
          if (tenant === DEFAULT_TENANT || held.has(tenant)) return null
          let entry = tenants.get(tenant)
          if (entry === undefined) {
            const why = refusal(tenant, owner)
            if (why !== null) return why
            entry = open(tenant, owner, false)
          }
          entry.holders++
          held.set(tenant, entry)
          // Whoever opened it may fail yet: each request that relies on it stores it as well.
          if (!entry.stored) values[tenantValueName(tenant)] = Buffer.from(entry.owner)
          return null
        },
        settle(stored) {
          if (settled) throw new PlumblineError('CLAIM_SETTLED', 'A claim on tenants can be settled once.')
          settled = true
          for (const [tenant, entry] of held) {
            entry.holders--
            if (stored) entry.stored = true
            else if (!entry.stored && entry.holders === 0 && tenants.get(tenant) === entry) close(tenant)
          }
        },
      }
    },
  }
}
