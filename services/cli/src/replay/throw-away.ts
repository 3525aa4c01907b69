import { createHash } from 'node:crypto'
import type { Alert, DetectionConfig } from '@plumbline/schemas'
import { Learner } from '../evaluate/learner.ts'
import type { PolicyInUse } from '../policy/file.ts'
import type { ReplayTarget } from './replay.ts'

/** Fixed, so that the same files give the same alerts. Nothing is kept under it. */
const MASTER_KEY = createHash('sha256').update('plumbline replay').digest().subarray(0, 16)
/** Paced replays must show an alert when it happens, not when a chunk is full. */
const MOST_WAIT_MS = 250

/** An instance in memory that learns, trains and alerts as a deployment does, and is thrown away. */
export const throwAwayTarget = (config: DetectionConfig, onAlert: (alert: Alert) => Promise<void>, policy?: PolicyInUse): ReplayTarget => {
  const releases: { id: string; withModel: boolean }[] = []
  const learner = new Learner({
    config,
    masterKey: MASTER_KEY,
    trains: true,
    policy,
    onRelease: (id, withModel) => releases.push({ id, withModel }),
  })
  const codes: Record<string, number> = {}
  const severities: Record<string, number> = {}
  const alerted = new Map<string, number>()
  let alerts = 0
  let steppedAt = performance.now()
  const step = async (): Promise<void> => {
    const flushed = await learner.step()
    steppedAt = performance.now()
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
      if (learner.instance.due || performance.now() - steppedAt > MOST_WAIT_MS) await step()
    },
    finish: async () => {
      await step()
      const identities = [...learner.histories.values()].reduce((sum, h) => sum + h.identities.size, 0)
      const most = [...alerted].map(([identity, n]) => ({ identity, alerts: n })).sort((a, b) => b.alerts - a.alerts)
      return { codes, alerts, severities, alerted: most, identities, releases }
    },
  }
}
