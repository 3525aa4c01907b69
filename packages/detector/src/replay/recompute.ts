import { type Alert, type AlertCapsule, type DetectionConfig, FEATURES, type Policy, PlumblineError } from '@plumbline/schemas'
import { eventKey } from '../2-identify/shard.ts'
import { Detector } from '../detector.ts'
import type { LogRecord } from '../ports.ts'
import { DETECTOR_VERSION } from '../version.ts'
import { controlsOf } from './in-force.ts'
import { scoredRows } from './row-binary.ts'

/** What a capsule refers to by name: everything else is in it (contracts C7). */
export interface CapsuleContext {
  readonly tenant: string
  readonly identity: string
  /** The event came with a backfill, which exempts it from the limit on late ones. */
  readonly historic?: boolean
  /** Artifact of `replay.releaseId`; undefined when the event was scored before any release. */
  readonly release: Uint8Array | undefined
  /** Policy of `replay.policyHash`; undefined for the empty one. */
  readonly policy: { readonly policy: Policy; readonly hash: string } | undefined
  readonly config: DetectionConfig
  readonly masterKey: Uint8Array
}

export interface Recomputed {
  /** Score and every feature are the recorded ones, bit for bit. */
  readonly identical: boolean
  readonly score: number
  readonly recordedScore: number
  /** Features that differ, by catalogue name; empty when identical. */
  readonly differences: readonly { readonly feature: string; readonly recorded: number; readonly recomputed: number }[]
  /** The alert as this build words it; undefined where it joins an earlier one of its group. */
  readonly alert: Alert | undefined
}

/**
 * Scores the event of a capsule again from the state before it, in a detector that knows nothing else.
 * Throws REPLAY_VERSION_UNSUPPORTED for a capsule of another detector version, REPLAY_FAILED when it does not score.
 */
export const recompute = (capsule: AlertCapsule, context: CapsuleContext): Recomputed => {
  const { replay } = capsule
  if (replay.detectorVersion !== DETECTOR_VERSION) {
    throw new PlumblineError(
      'REPLAY_VERSION_UNSUPPORTED',
      `this build is detector ${DETECTOR_VERSION}; the alert was made by ${replay.detectorVersion}. Use a build of that version`,
    )
  }
  const { shard, offset, topic } = replay.position
  const slot = Buffer.from(capsule.slot, 'base64')
  const { release } = context
  const detector = new Detector({
    config: context.config,
    masterKey: context.masterKey,
    slots: {
      load: (_shard, _key, into) => {
        into.set(slot)
        return slot.length
      },
    },
    releases: { artifact: () => release },
    residentSlots: 64,
    topic,
  })
  detector.open(shard, { nextOffset: offset, meta: new Map() })
  const commit = detector.process(shard, [...controls(capsule, context), eventRecord(capsule, context)])
  const row = commit.scored === null ? undefined : [...scoredRows(commit.scored.bytes)].at(-1)
  if (row === undefined)
    throw new PlumblineError(
      'REPLAY_FAILED',
      `the event did not score: ${commit.deadLetters.map((d) => d.code).join(', ') || 'no reason given'}`,
    )
  const recorded = Float32Array.from(capsule.features)
  const differences = FEATURES.flatMap(({ name }, i) => {
    const [a = 0, b = 0] = [recorded[i], row.features[i]]
    // JSON, in which capsules are stored, keeps no sign of zero.
    return a === b || Object.is(a, b) ? [] : [{ feature: name, recorded: a, recomputed: b }]
  })
  const recordedScore = Math.fround(capsule.score)
  const identical = differences.length === 0 && row.score === recordedScore
  return { identical, score: row.score, recordedScore, differences, alert: commit.alerts.at(-1) }
}

const HISTORIC_PREFIX = 104 // h

const eventRecord = (capsule: AlertCapsule, { tenant, identity, historic = false }: CapsuleContext): LogRecord => {
  const key = eventKey(tenant, identity)
  if (historic) key[0] = HISTORIC_PREFIX
  const { position } = capsule.replay
  return { offset: position.offset, ingestTimeMs: capsule.ingestTime, key, value: Buffer.from(capsule.event, 'base64') }
}

/** The release, the policy and the announced changes that were in force, as the control records they came in. */
const controls = (capsule: AlertCapsule, { tenant, release: bytes, policy }: CapsuleContext): LogRecord[] => {
  const release = bytes === undefined ? undefined : { id: capsule.replay.releaseId, bytes }
  return controlsOf({ tenant, release, policy, changes: capsule.changes ?? [] }, capsule.ingestTime)
}
