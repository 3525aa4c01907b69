import { z } from 'zod'
import { Change } from './change.ts'
import { Policy } from './policy.ts'
import { VERDICTS } from './feedback.ts'

/**
 * Records that change detector state travel in the shard's own log beside the events (contracts C1).
 * Key: `c:` + controlId. Applying the same controlId twice has no effect.
 */
const base = { v: z.literal(1), controlId: z.string().min(1).max(128), tenant: z.string().min(1) }

export const ControlRecord = z.discriminatedUnion('type', [
  z.strictObject({
    ...base,
    type: z.literal('release'),
    releaseId: z.string().min(1).meta({ description: 'Release to use from this position on; fetched by id and hash.' }),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  }),
  z.strictObject({
    ...base,
    type: z.literal('verdict'),
    alertId: z.string(),
    identity: z.string(),
    verdict: z.enum(VERDICTS),
    groupKey: z.string().meta({ description: 'Group the alert belongs to: reason family and object.' }),
    events: z.array(z.string()).max(256).meta({ description: 'Canonical bytes of learnable evidence events, base64 (contracts C10).' }),
    author: z.string(),
  }),
  z.strictObject({ ...base, type: z.literal('policy'), policy: Policy, policyHash: z.string() }),
  z.strictObject({ ...base, type: z.literal('erase'), identity: z.string() }),
  z.strictObject({ ...base, type: z.literal('change'), change: Change }),
  z.strictObject({ ...base, type: z.literal('change_withdrawn'), changeId: z.string() }),
])
export type ControlRecord = z.infer<typeof ControlRecord>
