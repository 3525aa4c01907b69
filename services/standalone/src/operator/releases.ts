import { PlumblineError, type ReleaseAnswer, type ReleaseLine } from '@plumbline/schemas'
import { inForceOf, type ReleaseEntry, type ReleaseStore } from '@plumbline/trainer'

const lineOf = (releases: ReleaseStore, entry: ReleaseEntry, inForce: ReleaseEntry | undefined): ReleaseLine => {
  const { id, sequence, sha256, modelled, events, toTime, madeAt, orderedBy = 'schedule', restores = null, held = [] } = entry
  const appraisal = releases.appraisal(sha256)
  const shadow = appraisal?.shadow ?? null
  return {
    id,
    sequence,
    sha256,
    modelled,
    events,
    toTime,
    madeAt,
    orderedBy,
    restores,
    held: [...held],
    state: held.length > 0 ? 'held' : entry === inForce ? 'in_force' : 'earlier',
    checks: appraisal?.checks.verdict ?? null,
    shadow:
      shadow === null
        ? null
        : {
            inForce: shadow.inForce,
            rows: shadow.rows,
            detection: [shadow.candidate.detection, shadow.before.detection],
            loss: [shadow.candidate.loss, shadow.before.loss],
            exceedance2: [shadow.candidate.exceedance2, shadow.before.exceedance2],
            groupsPerDay: [shadow.candidate.groupsPerDay, shadow.before.groupsPerDay],
          },
  }
}

/** A tenant's releases, oldest first. */
export const linesOf = (releases: ReleaseStore, tenant: string): ReleaseLine[] => {
  const entries = releases.list(tenant)
  const inForce = inForceOf(entries)
  return entries.map((entry) => lineOf(releases, entry, inForce))
}

/** Everything that is kept of a release. Throws RELEASE_UNKNOWN, and RELEASE_GONE or what verifying throws for its bytes. */
export const releaseOf = (releases: ReleaseStore, tenant: string, releaseId: string): ReleaseAnswer => {
  const release = linesOf(releases, tenant).find(({ id }) => id === releaseId)
  if (release === undefined)
    throw new PlumblineError('RELEASE_UNKNOWN', `Tenant ${tenant} has no release ${releaseId}. plumbline release list shows those it has.`)
  const [artifact, envelope] = [releases.artifact(releaseId, release.sha256), releases.envelope(release.sha256)]
  if (artifact === undefined || envelope === undefined)
    throw new PlumblineError('RELEASE_GONE', `The artifact of release ${releaseId} is not here any more.`)
  return { release, artifact: Buffer.from(artifact).toString('base64'), envelope, appraisal: releases.appraisal(release.sha256) ?? null }
}
