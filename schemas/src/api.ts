import { z } from 'zod'
import { Alert, SEVERITIES } from './alert.ts'
import { VERDICTS } from './feedback.ts'

/** Answer of POST /v1/events: counts of what is durable, and each refusal with its remedy. */
export const IngestAnswer = z.strictObject({
  accepted: z.number().int(),
  rejected: z.number().int(),
  errors: z
    .array(z.strictObject({ index: z.number().int(), code: z.string(), field: z.string(), message: z.string(), remedy: z.string() }))
    .max(1000)
    .meta({ description: 'At most 1,000 are listed; `rejected` counts all.' }),
})
export type IngestAnswer = z.infer<typeof IngestAnswer>

export const AlertQuery = z.strictObject({
  tenant: z.string().optional(),
  identity: z.string().optional(),
  severity: z.enum(SEVERITIES).optional().meta({ description: 'This severity or worse.' }),
  since: z.coerce.number().int().optional().meta({ unit: 'ms since epoch' }),
  historic: z.enum(['true', 'false']).default('false'),
  limit: z.coerce.number().int().min(1).max(500).default(50),
  cursor: z.string().max(256).optional(),
})
export type AlertQuery = z.infer<typeof AlertQuery>

/** An alert as the console and the API show it: the newest revision plus what people said of it. */
export const AlertView = Alert.extend({
  delivery: z.enum(['delivered', 'held', 'historic']),
  verdict: z.enum(VERDICTS).nullable(),
})
export type AlertView = z.infer<typeof AlertView>
export const AlertPage = z.strictObject({ alerts: z.array(AlertView), cursor: z.string().nullable() })

export const IdentityView = z.strictObject({
  tenant: z.string(),
  identity: z.string(),
  kind: z.string(),
  owner: z.string().nullable(),
  firstSeen: z.number().int(),
  lastSeen: z.number().int(),
  events: z.number(),
  maturity: z.number(),
  risk: z.number(),
  peerGroup: z.string().nullable(),
  actions: z.array(z.strictObject({ name: z.string(), count: z.number() })),
  classes: z.array(z.strictObject({ name: z.string(), count: z.number() })),
  destinations: z.array(z.strictObject({ name: z.string(), count: z.number() })),
  timeline: z.array(
    z.strictObject({ time: z.number().int(), events: z.number(), bytesOut: z.number(), maxScore: z.number(), alerts: z.number() }),
  ),
})
export type IdentityView = z.infer<typeof IdentityView>

/** GET /v1/status, also the `status` event of the alert stream: what the page shows at its top. */
export const StatusView = z.strictObject({
  ready: z.boolean(),
  phase: z.string().meta({ description: 'What is going on, in words: "replaying the demo day", "waiting for events".' }),
  progress: z.number().min(0).max(1).nullable(),
  eventsPerSecond: z.number(),
  events: z.number(),
  alerts: z.number(),
  held: z.number(),
  deadLetters: z.number(),
  identities: z.number(),
  recorderLag: z.number().meta({ unit: 'rows not yet in ClickHouse' }),
  model: z.strictObject({ tenant: z.string(), releaseId: z.string(), trained: z.boolean() }).array(),
  demo: z.boolean(),
})
export type StatusView = z.infer<typeof StatusView>
