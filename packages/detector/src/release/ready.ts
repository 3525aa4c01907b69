import { FEATURE_COUNT, PlumblineError } from '@plumbline/schemas'
import { type Autoencoder, createAutoencoder } from '../5-autoencoder/index.ts'
import { readGroup } from '../state/groups.ts'
import type { ReadyRelease } from '../2-identify/tenants.ts'
import { checkCalibration } from '../6-score/calibration.ts'
import { WHOLE_COUNT } from '../6-score/score.ts'
import { log10 } from '../math/functions.ts'
import type { AutoencoderParameters } from '../5-autoencoder/layout.ts'
import { netWithout, runsHere, unknownTo, usualWithout } from './former.ts'
import { type Release, releaseAutoencoder, unpackRelease } from './pack.ts'

/** Widest net and most groups that one worker accepts from a release. */
const MAX_GROUPS = 255
/** A tenant with as many events a day is what the minima of rules are made for. */
const USUAL_EVENTS_PER_DAY = 20_000

/** The net of a release as it runs here, or null when the release has none. Throws `AUTOENCODER_INVALID`. */
export const netOf = (release: Release): AutoencoderParameters | null => {
  const parameters = releaseAutoencoder(release)
  return parameters === null ? null : netWithout(parameters, unknownTo(release.header.catalogueHash))
}

/**
 * Makes a release artifact ready for scoring. One of the catalogue before runs without the features that it did not have.
 * Throws RELEASE_UNSUPPORTED when it was made for any other catalogue (this shard then stops: scoring on with other features
 * would be silently wrong), RELEASE_INVALID when its sections do not fit together.
 */
export const readyRelease = (bytes: Uint8Array): ReadyRelease => {
  const release = unpackRelease(bytes)
  const { header } = release
  if (!runsHere(header.catalogueHash)) {
    throw new PlumblineError(
      'RELEASE_UNSUPPORTED',
      `Release ${header.id} was made for a feature catalogue that this version does not know. Run the build that made it, or train anew.`,
    )
  }
  const parameters = netOf(release)
  const autoencoder: Autoencoder | null = parameters === null ? null : createAutoencoder(parameters)
  const joint = release.section('joint')
  const typical = usualWithout(release.section('typical'), unknownTo(header.catalogueHash))
  const declaredSection = release.section('declared')
  if (
    header.peerGroups.length > MAX_GROUPS ||
    joint.length < 5 ||
    typical.length % 4 !== 0 ||
    typical.length < 4 * FEATURE_COUNT ||
    typical.length > 4 * (FEATURE_COUNT + WHOLE_COUNT) ||
    (autoencoder !== null && autoencoder.width !== FEATURE_COUNT)
  ) {
    throw new PlumblineError('RELEASE_INVALID', `Release ${header.id} has sections of the wrong size.`)
  }
  const calibration = release.section('calibration')
  checkCalibration(calibration)
  const evidence = release.section('evidence')
  checkCalibration(evidence)
  const declared = new Map<number, number>()
  for (let i = 0; i + 2 < declaredSection.length; i += 3) {
    declared.set((declaredSection[i]! + declaredSection[i + 1]! * 65_536) >>> 0, declaredSection[i + 2]!)
  }
  const section = (name: string): Float32Array => release.section(name)
  return {
    header,
    sha256: release.sha256,
    autoencoder,
    everyone: readGroup('all', '', section),
    groups: header.peerGroups.map((g, i) => readGroup(`g${i}`, g.name, section)),
    declared,
    calibration,
    evidence,
    joint,
    resolution: log10(Math.max(100, header.metrics.rows ?? 0)) - 0.3,
    fleet: Math.max(0, log10(Math.max(1, header.metrics.eventsPerDay ?? 0) / USUAL_EVENTS_PER_DAY)),
    typical,
    mean: parameters?.mean ?? null,
  }
}
