import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CorrelatorService } from '@plumbline/correlator'
import type { DeploymentLog } from '@plumbline/detector'
import type { Logger } from '@plumbline/runtime'
import { type EraseRequest, PlumblineError } from '@plumbline/schemas'
import { announce, type BlindSpotWatch } from '@plumbline/trainer'
import type { Detection } from './detection.ts'
import type { Storage } from './storage.ts'

export type RemoveRecords = (claims: (key: Uint8Array, value: Uint8Array, offset: number) => boolean) => Promise<number>

export interface ErasureDeps {
  readonly log: DeploymentLog
  readonly detection: Pick<Detection, 'tenants' | 'placeOf'>
  readonly storage: Pick<Storage, 'recording'>
  /** Forgets what goes over several identities, this one among them. */
  readonly correlator: Pick<CorrelatorService, 'forget'> | null
  /** Forgets what was found on copies of its baseline. */
  readonly blindSpots: Pick<BlindSpotWatch, 'forget'> | null
  /** Removes processed records that are claimed from the log, where it can; returns how many went. */
  readonly removeRecords: RemoveRecords
  readonly clock: () => number
  readonly logger: Logger
  readonly signal: AbortSignal
}

const text = new TextDecoder()
const LOOK_MS = 20

/** Parts of events and of control records that say whose they are. */
interface Said {
  readonly tenant?: unknown
  readonly identity?: unknown
}

/** A tenant's name may hold the separator of keys: what the record says decides, as far as it can be read. */
const isOf = (key: string, value: Uint8Array, { tenant, identity }: EraseRequest): boolean => {
  const isControl = key.startsWith('c:')
  if (!isControl && key !== `e:${tenant}|${identity}` && key !== `h:${tenant}|${identity}`) return false
  let said: Said
  try {
    said = JSON.parse(text.decode(value)) as Said
  } catch {
    return false
  }
  const id = isControl ? said.identity : (said.identity as { id?: unknown } | undefined)?.id
  return id === identity && (said.tenant ?? 'default') === tenant
}

/**
 * Forgets one identity: its baseline and open alerts by a control record in its shard, then everything up to that record in
 * the store (also once it is back) and in the log, the control record itself included; a log that cannot remove single records
 * keeps them until retention. What comes later is a new identity. Returns how many records of the log went. After a crash on the way it is to be asked for again.
 */
export const createErasure =
  ({ log, detection, storage, correlator, blindSpots, removeRecords, clock, logger, signal }: ErasureDeps) =>
  async (request: EraseRequest): Promise<number> => {
    const { tenant, identity } = request
    if (!detection.tenants().some(({ name }) => name === tenant))
      throw new PlumblineError('TENANT_UNKNOWN', `No tenant ${tenant} sent events.`)
    const { shard, key } = detection.placeOf(tenant, identity)
    const id = randomUUID()
    const ends = await announce(log, {
      record: { v: 1, type: 'erase', controlId: `erase:${id}`, tenant, identity },
      shards: [shard],
      nowMs: clock(),
      nonce: id,
    })
    const upTo = ends.get(shard) ?? log.head(shard).next
    while (log.head(shard).position < upTo) await sleep(LOOK_MS, undefined, { signal })
    await correlator?.forget(tenant, identity)
    await blindSpots?.forget(tenant, identity)
    const { done } = await storage.recording.erase({ tenant, identity: { id: identity, upTo } })
    const records = await removeRecords((bytes, value, offset) => offset < upTo && isOf(text.decode(bytes), value, request))
    // The keyed hash, not the name: the audit log stays.
    const target = Buffer.from(key).toString('hex')
    await log.publish('audit', [{ time: clock(), tenant, actor: 'operator', action: 'identity.erase', target, body: { records } }])
    logger.info({ tenant, records }, 'identity erased')
    await done
    return records
  }
