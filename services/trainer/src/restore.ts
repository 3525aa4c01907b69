import { readyRelease } from '@plumbline/detector'
import { packRelease, sha256Hex, unpackRelease } from '@plumbline/detector/release'
import { PlumblineError } from '@plumbline/schemas'
import { inForceOf, nextSequence, type ReleaseEntry, type ReleaseStore } from './releases.ts'

/** Which kept release is to be put into use. Without an id: the one that was in force before the present one. */
export interface RestoreRequest {
  readonly tenant: string
  readonly releaseId?: string | undefined
  /** A release that was held back may only be put into use by its id, on purpose. */
  readonly held: boolean
}

const unknown = (message: string): PlumblineError => new PlumblineError('RELEASE_UNKNOWN', message)

/** The entry whose content an entry is: itself, unless it brought an earlier one back. */
const originOf = (entries: readonly ReleaseEntry[], entry: ReleaseEntry): ReleaseEntry =>
  entries.find(({ id }) => id === entry.restores) ?? entry

/** The entry that the request means. Throws RELEASE_UNKNOWN, RELEASE_HELD, RELEASE_IN_FORCE. */
export const chooseRelease = (entries: readonly ReleaseEntry[], { tenant, releaseId, held }: RestoreRequest): ReleaseEntry => {
  const inForce = inForceOf(entries)
  if (inForce === undefined) throw unknown(`Tenant ${tenant} has no release in force, so there is none to go back to.`)
  const present = originOf(entries, inForce)
  if (releaseId === undefined) {
    const earlier = entries.findLast((e) => e.sequence < present.sequence && e.held === undefined && e.restores === undefined)
    if (earlier === undefined) throw unknown(`Release ${present.id} is the first of tenant ${tenant}; there is none before it.`)
    return earlier
  }
  const named = entries.find(({ id }) => id === releaseId)
  if (named === undefined) throw unknown(`Tenant ${tenant} has no release ${releaseId}. plumbline release list shows those it has.`)
  const origin = originOf(entries, named)
  if (origin.id === present.id) throw new PlumblineError('RELEASE_IN_FORCE', `Release ${origin.id} is what is in force already.`)
  if (origin.held !== undefined && !held)
    throw new PlumblineError(
      'RELEASE_HELD',
      `Release ${origin.id} was held back: ${origin.held[0] ?? ''} To use it all the same: plumbline release promote ${origin.id}`,
    )
  return origin
}

/** Who brings a release back, and when: `events` the tenant has by then. */
export interface Reissue {
  readonly tenant: string
  readonly events: number
  readonly madeAt: number
  readonly orderedBy: string
}

/**
 * An earlier release once more, as a release of its own: a shard takes only one that is newer than what it runs (contracts C8), so its
 * content gets the next sequence and a new signature. Throws RELEASE_GONE, and what reading it throws: one that this build cannot run
 * must not reach the shards.
 */
export const reissue = (releases: ReleaseStore, origin: ReleaseEntry, { tenant, events, madeAt, orderedBy }: Reissue) => {
  const stored = releases.artifact(origin.id, origin.sha256)
  if (stored === undefined) throw new PlumblineError('RELEASE_GONE', `The artifact of release ${origin.id} is not here any more.`)
  const { header, section } = unpackRelease(stored)
  const { sections, ...rest } = header
  const entries = releases.list(tenant)
  const sequence = nextSequence(entries)
  const id = `${tenant}-r${sequence}`
  const bytes = packRelease(
    { ...rest, id, sequence, metrics: { ...rest.metrics, restores: origin.sequence } },
    Object.fromEntries(sections.map(({ name }) => [name, section(name)])),
  )
  readyRelease(bytes)
  const entry: ReleaseEntry = {
    sequence,
    id,
    sha256: sha256Hex(bytes),
    modelled: origin.modelled,
    // Nothing is due because of it: what there is now was learned from, and something speaks against what came of that.
    events: Math.max(entries.at(-1)?.events ?? 0, events),
    toTime: origin.toTime,
    madeAt,
    orderedBy,
    restores: origin.id,
  }
  return { entry, bytes }
}
