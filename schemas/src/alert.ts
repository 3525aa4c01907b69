import { z } from 'zod'
import { Change, ChangeParts, VERSION_PARTS } from './change.ts'
import { PlumblineError } from './codes.ts'
import { IDENTITY_KINDS, PROVENANCES } from './event.ts'

/** What kind of departure an alert reports. Part of the group key, so stable. */
export const REASON_FAMILIES = [
  'sensitive_access',
  'toxic_flow',
  'new_destination',
  'volume',
  'rate',
  'enumeration',
  'new_behaviour',
  'off_hours',
  'source',
  'travel',
  'shared_credential',
  'lateral_movement',
  'probing',
  'drift',
  'version_change',
  'policy',
  'combination',
] as const
export type ReasonFamily = (typeof REASON_FAMILIES)[number]

export const SEVERITIES = ['low', 'medium', 'high', 'critical'] as const
export type Severity = (typeof SEVERITIES)[number]

/** A measured or typical amount, always with its unit. */
export const Quantity = z.strictObject({
  value: z.number(),
  unit: z.enum([
    'events',
    'bytes',
    'ms',
    'tokens',
    'resources',
    'destinations',
    'failures',
    'denials',
    'share',
    'km/h',
    'hour_of_week',
    'sources',
    'times',
    'actions',
  ]),
  perMs: z.number().optional().meta({ description: 'Length of the window the amount was counted over; absent for one event.', unit: 'ms' }),
})
export type Quantity = z.infer<typeof Quantity>

export const Reason = z.strictObject({
  family: z.enum(REASON_FAMILIES),
  feature: z.string().meta({ description: 'Catalogue name of the feature behind it; for machines, not shown first.' }),
  object: z.string().optional().meta({
    description:
      'What `observed` and `typical` are of: the class, destination, action, address or segment. Absent where they are totals over everything the identity did.',
  }),
  previous: z.string().optional().meta({ description: 'What came before, where the reason is a change: country, segment, version.' }),
  observed: Quantity,
  part: Quantity.optional().meta({ description: 'What of the total `observed` this event alone is.' }),
  typical: Quantity.optional().meta({
    description: 'The usual amount, a share being of its acts; absent where it never happened before or is not known.',
  }),
  peers: z
    .strictObject({ count: z.number().int(), doing: z.number().int() })
    .optional()
    .meta({ description: 'Size of the peer group without this identity, and how many of them do this.' }),
  first: z.boolean().optional().meta({
    description: 'True when this identity is known never to have done it; absent when that is not known. The words say "never" only then.',
  }),
  sinceMs: z.number().optional().meta({ description: 'Time since what set it off (an untrusted read, a denial).', unit: 'ms' }),
  trigger: z.string().optional().meta({
    description: 'What set it off, like the class that was read; of a session like another role, the peer group whose work it looks like.',
  }),
  weight: z.number().min(0).max(1).meta({ description: 'Share of the score.' }),
})
export type Reason = z.infer<typeof Reason>

/** Everything the words of an alert may be made from: measured, never invented. */
export const AlertFacts = z.strictObject({
  tenant: z.string(),
  identity: z.strictObject({
    id: z.string(),
    kind: z.enum(IDENTITY_KINDS),
    attested: z.string().optional(),
    owner: z.string().optional(),
    contact: z.string().optional(),
    purpose: z.string().optional(),
    criticality: z.number().int().min(1).max(3).default(2),
    runbook: z.string().optional(),
  }),
  onBehalfOf: z.string().optional(),
  session: z.string().optional(),
  action: z.string(),
  resource: z.strictObject({ id: z.string().optional(), class: z.string(), sensitivity: z.number().int().optional() }),
  destination: z.string().optional(),
  destinationProvenance: z.enum(PROVENANCES).optional(),
  outcome: z.string(),
  time: z.number().int().meta({ unit: 'ms since epoch' }),
  reasons: z.array(Reason).min(1).max(6).meta({ description: 'Heaviest first.' }),
  baseline: z.strictObject({
    days: z.number().meta({ description: 'Event time this identity has been learned over.', unit: 'days' }),
    events: z.number(),
    maturity: z.number().min(0).max(1),
    peerGroup: z.string().optional(),
    peers: z.number().int().meta({ description: 'Other members of the peer group.' }),
    modelled: z.boolean().meta({ description: 'False while statistical surprise alone scores (no model released yet).' }),
  }),
  tailProbability: z.number().meta({ description: 'How rare a normal event this unusual is.' }),
  notVisible: z.array(z.enum(['arguments', 'sizes', 'source', 'session', 'destination', 'provenance', 'version', 'content'])),
  change: z
    .strictObject({
      version: z
        .strictObject({
          release: z.string().optional(),
          model: z.string().optional(),
          prompt: z.string().optional(),
          tools: z.string().optional(),
          code: z.string().optional(),
        })
        .meta({ description: 'Its parts as the event names them.' }),
      sinceMs: z.number().meta({ description: 'Since the identity was first seen with exactly these.', unit: 'ms' }),
      unannounced: z
        .array(z.enum(VERSION_PARTS))
        .optional()
        .meta({ description: 'Parts that changed with this act and that nobody announced, where changes are announced.' }),
    })
    .optional()
    .meta({ description: 'A change of version not long before.' }),
  announced: z
    .strictObject({
      id: z.string(),
      what: ChangeParts,
      parts: z.array(z.enum(VERSION_PARTS)).meta({ description: 'Parts that may differ under it and under others that are open as well.' }),
      reason: z.string(),
      ticket: z.string().optional(),
      by: z.string(),
    })
    .optional()
    .meta({ description: 'An announced change that the act falls under: what that explains is not counted among the reasons to alert.' }),
})
export type AlertFacts = z.infer<typeof AlertFacts>

export const AlertText = z.strictObject({
  headline: z.string().meta({ description: 'Who did what to what, one line.' }),
  normal: z.string().meta({ description: 'What is normal and learned over how long.' }),
  why: z.string().meta({ description: 'Why it matters.' }),
  certainty: z.string().meta({ description: 'How sure, and what could not be seen.' }),
  firstStep: z.string().meta({ description: 'What to do first.' }),
})
export type AlertText = z.infer<typeof AlertText>

export const Technique = z.strictObject({ uid: z.string(), name: z.string(), framework: z.enum(['ATLAS', 'ATT&CK', 'OWASP']) })
export type Technique = z.infer<typeof Technique>

export const Position = z.strictObject({ topic: z.string(), shard: z.number().int(), offset: z.number().int() })
export type Position = z.infer<typeof Position>

/** Where to find everything that made the score again (INV-7). */
export const ReplayCoordinates = z.strictObject({
  position: Position,
  releaseId: z.string(),
  stateVersion: z.number().int(),
  configHash: z.string(),
  policyHash: z.string(),
  detectorVersion: z.string(),
  catalogueHash: z.string(),
})

export type ReplayCoordinates = z.infer<typeof ReplayCoordinates>

/** Events that an alert names; `count` says how many there are. */
export const MOST_EVIDENCE = 32

/** One revision of one alert. `id` never changes; consumers keep the highest `revision` (contracts C6). */
export const Alert = z
  .strictObject({
    v: z.literal(1),
    id: z.string(),
    revision: z.number().int().min(1),
    activity: z.enum(['create', 'update', 'close']),
    family: z.enum(REASON_FAMILIES),
    groupKey: z.string(),
    severity: z.enum(SEVERITIES),
    score: z.number().min(0).max(100),
    risk: z.number().min(0).max(100).meta({ description: 'Risk of the identity after this alert.' }),
    critical: z
      .boolean()
      .meta({ description: 'Found by a rule; the first of its reason family and day is never held back by the budget.' }),
    historic: z.boolean().meta({ description: 'Found in backfilled history: stored, never forwarded.' }),
    facts: AlertFacts,
    text: AlertText,
    techniques: z.array(Technique),
    firstSeen: z.number().int(),
    lastSeen: z.number().int(),
    count: z.number().int().meta({ description: 'Events of this group so far.', unit: 'events' }),
    adopting: z
      .boolean()
      .optional()
      .meta({ description: 'It has gone on for so long without a verdict that it is being learned as normal.' }),
    suppressed: z.number().int().meta({ description: 'Events of this group not published one by one.', unit: 'events' }),
    evidence: z
      .array(Position)
      .max(MOST_EVIDENCE)
      .meta({ description: 'Events of this group: the first ones, and the one this revision was made from.' }),
    counterfactual: z.string().optional().meta({ description: 'What would have kept it quiet.' }),
    replay: ReplayCoordinates,
  })
  .meta({ id: 'PlumblineAlertV1', title: 'Plumbline alert' })
export type Alert = z.infer<typeof Alert>

const jsonIn = (payload: Uint8Array): unknown => {
  try {
    return JSON.parse(new TextDecoder().decode(payload))
  } catch {
    return undefined
  }
}

/**
 * The alert of an outbox entry; null when it is damaged: not JSON, or with fields missing or of another type. Fields and words that
 * this build does not know are no damage. Who decides by the order of alerts asks here, so that all pass over the same ones.
 * Error: ALERT_VERSION.
 */
export const alertIn = (payload: Uint8Array): Alert | null => {
  const found = jsonIn(payload)
  const parsed = Alert.safeParse(found)
  if (parsed.success) return found as Alert
  const { v } = Object(found) as { readonly v?: unknown }
  if (typeof v === 'number' && Number.isInteger(v) && v > 1)
    throw new PlumblineError(
      'ALERT_VERSION',
      `An alert of the outbox is of version ${v}; this build reads version 1. Start the newer Plumbline that wrote it.`,
    )
  return v === 1 && parsed.error.issues.every(({ code }) => code !== 'invalid_type') ? (found as Alert) : null
}

/** Replay capsule stored with an alert: enough to recompute its score and reasons on its own (contracts C7). */
export const AlertCapsule = z.strictObject({
  v: z.literal(1),
  alertId: z.string(),
  revision: z.number().int(),
  replay: ReplayCoordinates,
  ingestTime: z.number().int(),
  event: z.string().meta({ description: 'Raw event bytes, base64.' }),
  slot: z.string().meta({ description: 'State slot before the event, base64; session state is part of the slot.' }),
  score: z.number(),
  features: z.array(z.number()),
  changes: z.array(Change).optional().meta({ description: 'Announced changes that the alert depends on; absent where there are none.' }),
})
export type AlertCapsule = z.infer<typeof AlertCapsule>
