import { createHash } from 'node:crypto'
import { OutboxDigest } from '@plumbline/detector/replay'
import type { Alert, DetectionConfig } from '@plumbline/schemas'
import type { Flushed } from '../evaluate/instance.ts'
import { Learner } from '../evaluate/learner.ts'
import type { PolicyInUse } from '../policy/file.ts'
import type { ReplayTarget } from './replay.ts'

/** Fixed, so that the same files give the same alerts. Nothing is kept under it. */
export const REPLAY_KEY = createHash('sha256').update('plumbline replay').digest().subarray(0, 16)
/** Paced replays must show an alert when it happens, not when a chunk is full. */
const MOST_WAIT_MS = 250
/** What is due is looked for at every so many events, however long they took: the same file, the same releases at the same places. */
const STEP_EVENTS = 500

/** A release of a throw-away instance: in force from `offset` of its log on. */
export interface ReplayedRelease {
  readonly offset: number
  readonly artifact: Uint8Array
}

export interface ThrowAwayOptions {
  /** In force for every tenant from its first event on. */
  readonly policy?: PolicyInUse | undefined
  readonly onRelease?: (release: ReplayedRelease) => void
}

/** An instance in memory that learns, trains and alerts as a deployment does, and is thrown away. */
export const throwAwayTarget = (
  config: DetectionConfig,
  onAlert: (alert: Alert) => Promise<void>,
  { policy, onRelease }: ThrowAwayOptions = {},
): ReplayTarget => {
  const outbox = new OutboxDigest(1)
  const releases: { id: string; withModel: boolean }[] = []
  const learner = new Learner({
    config,
    masterKey: REPLAY_KEY,
    trains: true,
    policy,
    onRelease: (id, withModel, offset) => {
      releases.push({ id, withModel })
      onRelease?.({ offset, artifact: learner.instance.artifactOf(id)! })
    },
    onCommit: outbox.add,
  })
  const codes: Record<string, number> = {}
  const severities: Record<string, number> = {}
  const alerted = new Map<string, number>()
  let alerts = 0
  let taken = 0
  let shownAt = performance.now()
  const show = async (flushed: Flushed): Promise<void> => {
    shownAt = performance.now()
    for (const { code } of flushed.deadLetters) codes[code] = (codes[code] ?? 0) + 1
    for (const alert of flushed.alerts) {
      if (alert.revision > 1) continue
      alerts++
      severities[alert.severity] = (severities[alert.severity] ?? 0) + 1
      const { id } = alert.facts.identity
      alerted.set(id, (alerted.get(id) ?? 0) + 1)
      await onAlert(alert)
    }
  }
  return {
    event: async ({ event, canonical }) => {
      learner.instance.append({ tenant: event.tenant, identity: event.identity.id, timeMs: event.time, bytes: canonical })
      if (++taken % STEP_EVENTS === 0) await show(await learner.step())
      else if (performance.now() - shownAt > MOST_WAIT_MS) await show(learner.flush())
    },
    finish: async () => {
      await show(await learner.step())
      const identities = [...learner.histories.values()].reduce((sum, h) => sum + h.identities.size, 0)
      const most = [...alerted].map(([identity, n]) => ({ identity, alerts: n })).sort((a, b) => b.alerts - a.alerts)
      return { codes, alerts, severities, alerted: most, identities, releases, outboxSha256: outbox.hex() }
    },
  }
}
