import { z } from 'zod'
import { Position, SEVERITIES, Technique } from './alert.ts'
import { IDENTITY_KINDS } from './event.ts'

/** What goes over several identities. Part of the id of an incident, so stable. */
export const INCIDENT_KINDS = ['split_flow', 'shared_source', 'common_cause'] as const
export type IncidentKind = (typeof INCIDENT_KINDS)[number]

/** What identities can have in common. */
export const CAUSE_KINDS = ['root', 'delegator', 'source', 'document', 'destination', 'tool', 'model', 'release'] as const
export type CauseKind = (typeof CAUSE_KINDS)[number]

export const FLOW_STEPS = ['untrusted_read', 'sensitive_read', 'outside_write'] as const
export type FlowStep = (typeof FLOW_STEPS)[number]

/** What an incident names of each; counts beside the lists say how many there are. */
export const INCIDENT_LIMITS = { identities: 64, alerts: 256, evidence: 32, also: 4 } as const

const Cause = z.strictObject({
  kind: z.enum(CAUSE_KINDS),
  value: z.string(),
  share: z.number().min(0).max(1).meta({ description: 'Of the identities, how many have it in common.' }),
})

const ms = (description: string) => z.number().int().meta({ description, unit: 'ms since epoch' })

/** One revision of one incident: several identities, one cause. `id` never changes; consumers keep the highest `revision`. */
export const Incident = z
  .strictObject({
    v: z.literal(1),
    id: z.string(),
    revision: z.number().int().min(1),
    activity: z.enum(['create', 'update']),
    tenant: z.string(),
    kind: z.enum(INCIDENT_KINDS),
    severity: z.enum(SEVERITIES),
    cause: Cause.meta({ description: 'What joins the identities.' }),
    also: z.array(Cause).max(INCIDENT_LIMITS.also).meta({ description: 'What most of them have in common besides.' }),
    identities: z
      .array(
        z.strictObject({
          id: z.string(),
          kind: z.enum(IDENTITY_KINDS),
          events: z.number().int().meta({ description: 'Events of it that belong here.', unit: 'events' }),
          score: z.number().min(0).max(100).meta({ description: 'Highest score of these.' }),
          firstSeen: ms('First of these.'),
          lastSeen: ms('Last of these.'),
        }),
      )
      .max(INCIDENT_LIMITS.identities)
      .meta({ description: 'In order of their first event.' }),
    identityCount: z.number().int(),
    usual: z
      .number()
      .optional()
      .meta({ description: 'How many identities usually depart with this in common in as long a time.', unit: 'identities' }),
    steps: z
      .array(
        z.strictObject({
          step: z.enum(FLOW_STEPS),
          identity: z.string(),
          action: z.string(),
          object: z.string().optional().meta({ description: 'Resource that was read, or destination that was sent to.' }),
          time: ms('When.'),
          position: Position,
        }),
      )
      .max(FLOW_STEPS.length)
      .optional()
      .meta({ description: 'Of a flow: who did what, in order.' }),
    alerts: z
      .array(z.string())
      .max(INCIDENT_LIMITS.alerts)
      .meta({ description: 'Ids of the alerts that belong here. They stay as they are.' }),
    alertCount: z.number().int(),
    events: z.number().int().meta({ unit: 'events' }),
    evidence: z.array(Position).max(INCIDENT_LIMITS.evidence).meta({ description: 'The first events that belong here.' }),
    firstSeen: ms('First event.'),
    lastSeen: ms('Last event.'),
    late: z.boolean().meta({ description: 'This revision was made for events that came when their time was closed.' }),
    techniques: z.array(Technique),
    text: z.strictObject({
      headline: z.string().meta({ description: 'Who, over what, one line.' }),
      why: z.string().meta({ description: 'Why these belong together, and why it matters.' }),
      firstStep: z.string().meta({ description: 'What to do first.' }),
    }),
  })
  .meta({ id: 'PlumblineIncidentV1', title: 'Plumbline incident' })
export type Incident = z.infer<typeof Incident>
