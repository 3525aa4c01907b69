import type { EmbeddedLog } from '@plumbline/adapters/lmdb'
import type { CorrelatorService } from '@plumbline/correlator'
import { isStateOf } from '@plumbline/detector'
import type { Logger } from '@plumbline/runtime'
import { type BlindSpotWatch, isBlindSpotOf, type ReleaseStore, type Trainer } from '@plumbline/trainer'
import { type Actor, audit } from './audit.ts'
import { changesValueName } from './changes.ts'
import type { LocalDetection } from './local-detection.ts'
import { type TenantLedger, tenantValueName } from '@plumbline/gateway'
import { isPlaceOf, noteRemoval } from './operator/feeds.ts'
import type { Storage } from './storage.ts'

export interface RemovalDeps {
  readonly log: EmbeddedLog
  readonly detection: LocalDetection
  readonly releases: ReleaseStore
  readonly trainer: Pick<Trainer, 'forget'>
  /** Forgets what goes over several identities of it. */
  readonly correlator: Pick<CorrelatorService, 'forget'> | null
  /** Stops looking at it; what is kept goes with the log's other values. */
  readonly blindSpots: Pick<BlindSpotWatch, 'forget'> | null
  readonly storage: Pick<Storage, 'recording'>
  /** Told that the tenant is gone. */
  readonly tenants?: Pick<TenantLedger, 'close'>
  readonly clock: () => number
  readonly logger: Logger
  /** How long the store may take before it goes on by itself, ms. Default 10,000. */
  readonly drainMs?: number
}

const text = new TextDecoder()
const EVENT_KEY = /^[eh]:/
const DRAIN_MS = 10_000

/** Identity names of an event key of this tenant, or null. */
const identityIn = (key: string, tenant: string): string | null =>
  EVENT_KEY.test(key) && key.slice(2).startsWith(`${tenant}|`) ? key.slice(2 + tenant.length + 1) : null

const belongsTo = (tenant: string, value: Uint8Array): boolean => {
  try {
    return (JSON.parse(text.decode(value)) as { tenant?: string }).tenant === tenant
  } catch {
    return false
  }
}

const within = async (work: Promise<unknown>, ms: number): Promise<void> => {
  let timer: NodeJS.Timeout | undefined
  await Promise.race([work, new Promise((resolve) => (timer = setTimeout(resolve, ms)))])
  clearTimeout(timer)
}

/**
 * Removes a tenant from log, state, releases and store. Other tenants wait for the moment in which no shard is held;
 * what was accepted meanwhile is scored after it. The audit log keeps that it was asked for and by whom, and when it was done.
 */
export const createRemoval =
  (deps: RemovalDeps) =>
  async (tenant: string, by: Actor): Promise<void> => {
    await audit(deps.log, deps.clock(), { tenant, actor: by, action: 'tenant.remove', target: tenant })
    const { log, detection, releases, storage, drainMs = DRAIN_MS } = deps
    // A busy tenant beside it may never let the worker rest: then what it left unscored goes unscored.
    await within(
      detection.drained().catch(() => undefined),
      drainMs,
    )
    await deps.correlator?.forget(tenant)
    const { done } = await storage.recording.erase({ tenant })
    const released = new Set([
      ...releases.namesOf(tenant),
      `release:announced:${tenant}`,
      `policy:given:${tenant}`,
      changesValueName(tenant),
      tenantValueName(tenant),
    ])
    await detection.stop()
    const slots = new Set<string>()
    try {
      const removed = await log.removeTenant({
        record: (bytes, value) => {
          const key = text.decode(bytes)
          const identity = identityIn(key, tenant)
          // A tenant's name may hold the separator: `demo|x` is not `demo`. What the record says decides.
          if (identity !== null && belongsTo(tenant, value)) {
            const place = detection.placeOf(tenant, identity)
            slots.add(Buffer.from(place.key).toString('hex'))
            return true
          }
          return key.startsWith('c:') && belongsTo(tenant, value)
        },
        slot: (key) => slots.has(Buffer.from(key).toString('hex')),
        state: (name) => isStateOf(tenant, name),
        kv: (name) => released.has(name) || isPlaceOf(tenant, name) || isBlindSpotOf(tenant, name),
      })
      await noteRemoval(log.kv, tenant, deps.clock())
      deps.trainer.forget(tenant)
      await deps.blindSpots?.forget(tenant)
      deps.tenants?.close(tenant)
      await audit(log, deps.clock(), { tenant, actor: 'service', action: 'tenant.removed', target: tenant, body: removed })
      deps.logger.info({ tenant, ...removed }, 'tenant removed')
    } finally {
      detection.start()
    }
    // The rows go as soon as the store takes the request, also after a restart.
    await within(done, drainMs)
  }
