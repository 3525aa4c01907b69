import type { AlertCapsule, Policy } from '@plumbline/schemas'
import type { LogRecord } from '../ports.ts'
import { sha256Hex } from '../release/pack.ts'

/** What was in force for a tenant when something was scored. */
export interface InForce {
  readonly tenant: string
  readonly release: { readonly id: string; readonly bytes: Uint8Array } | undefined
  /** Undefined: the empty one. */
  readonly policy: { readonly policy: Policy; readonly hash: string } | undefined
  /** Announced changes. */
  readonly changes?: NonNullable<AlertCapsule['changes']>
}

/** Changes were announced before the event, which is 7 days late at most. */
const BEFORE_ANY_EVENT_MS = 8 * 86_400_000

const encoder = new TextEncoder()

/** Release, policy and changes as the control records they came in. */
export const controlsOf = ({ tenant, release, policy, changes = [] }: InForce, nowMs: number): LogRecord[] => {
  const record = (control: Readonly<Record<string, unknown>> & { readonly controlId: string }, ingestTimeMs = nowMs): LogRecord => ({
    offset: 0,
    ingestTimeMs,
    key: encoder.encode(`c:${control.controlId}`),
    value: encoder.encode(JSON.stringify({ v: 1, tenant, ...control })),
  })
  return [
    ...(release === undefined
      ? []
      : [record({ controlId: 'replay:release', type: 'release', releaseId: release.id, sha256: sha256Hex(release.bytes) })]),
    ...(policy === undefined
      ? []
      : [record({ controlId: 'replay:policy', type: 'policy', policy: policy.policy, policyHash: policy.hash })]),
    ...changes.map((change) => record({ controlId: `replay:change:${change.id}`, type: 'change', change }, nowMs - BEFORE_ANY_EVENT_MS)),
  ]
}
