import type { Store } from '@plumbline/adapters/clickhouse'
import type { ReplaySource } from '@plumbline/console'
import { type DeploymentLog, hashKeyOf, policyHash } from '@plumbline/detector'
import { recompute } from '@plumbline/detector/replay'
import type { Metrics } from '@plumbline/runtime'
import { AlertCapsule, type DetectionConfig, Policy, PlumblineError } from '@plumbline/schemas'
import type { ReleaseStore } from '@plumbline/trainer'
import { policyOf } from './policy.ts'

export interface ReplaysDeps {
  readonly log: Pick<DeploymentLog, 'kv' | 'masterKey'>
  readonly releases: ReleaseStore
  readonly config: DetectionConfig
  readonly metrics: Pick<Metrics, 'plumbline_invariant_violations_total'>
  /** Throws while ClickHouse is away. */
  readonly reader: () => Store
}

const EMPTY_HASH = policyHash(Policy.parse({}))
const NO_RELEASE = 'release-0'

const gone = (what: string): PlumblineError =>
  new PlumblineError('REPLAY_INCOMPLETE', `What the alert was made with is not here any more: ${what}.`)

/**
 * Scores alerts again from their stored capsules. Errors: REPLAY_PENDING (retryable) while the capsule is not stored yet,
 * REPLAY_INCOMPLETE when its release or policy is gone, REPLAY_VERSION_UNSUPPORTED naming the build that can, STORE_UNAVAILABLE.
 */
export const createReplays = ({ log, releases, config, metrics, reader }: ReplaysDeps): ReplaySource => {
  const capsuleOf = async (alertId: string): Promise<AlertCapsule> => {
    const store = reader()
    const [row] = await store.rows<{ capsule: string }>(
      `SELECT capsule FROM ${store.database}.capsules WHERE alert_id = {id:String} ORDER BY revision DESC LIMIT 1`,
      { id: alertId },
    )
    if (row === undefined) throw new PlumblineError('REPLAY_PENDING', 'The state of this alert is not in the store yet.')
    return AlertCapsule.parse(JSON.parse(row.capsule))
  }
  const releaseOf = (tenant: string, id: string): Uint8Array | undefined => {
    if (id === NO_RELEASE) return undefined
    const entry = releases.list(tenant).find((release) => release.id === id)
    const bytes = entry === undefined ? undefined : releases.artifact(id, entry.sha256)
    if (bytes === undefined) throw gone(`release ${id}`)
    return bytes
  }
  const policyIn = (hash: string): { policy: Policy; hash: string } | undefined => {
    if (hash === EMPTY_HASH) return undefined
    const policy = policyOf(log, hash)
    if (policy === undefined) throw gone(`policy ${hash.slice(0, 12)}`)
    return { policy, hash }
  }

  return {
    async replay(alert) {
      const capsule = await capsuleOf(alert.id)
      const { tenant, identity } = alert.facts
      const { releaseId, policyHash: hash, detectorVersion } = capsule.replay
      const again = recompute(capsule, {
        tenant,
        identity: identity.id,
        historic: alert.historic,
        release: releaseOf(tenant, releaseId),
        policy: policyIn(hash),
        config,
        masterKey: hashKeyOf(log),
      })
      const { identical, score, recordedScore, differences } = again
      if (!identical) metrics.plumbline_invariant_violations_total.inc({ invariant: 'INV-7' })
      return {
        alertId: alert.id,
        revision: capsule.revision,
        detectorVersion,
        releaseId,
        identical,
        score,
        recordedScore,
        differences: [...differences],
      }
    },
  }
}
