import { z } from 'zod'

const pattern = z.string().min(1).max(256).meta({ description: 'Glob: * matches any run of characters; compared without case.' })
const expiry = z.iso
  .datetime({ offset: true })
  .meta({ description: 'When this stops applying. Mandatory: exceptions do not live for ever.' })

export const PolicyResource = z.strictObject({
  match: z
    .strictObject({ action: pattern.optional(), resource: pattern.optional(), destination: pattern.optional(), class: pattern.optional() })
    .refine((m) => Object.keys(m).length > 0, 'name at least one of action, resource, destination, class'),
  class: z.string().min(1).max(128).optional(),
  sensitivity: z.number().int().min(0).max(3).optional(),
  segment: z.string().min(1).max(128).optional().meta({
    description: 'Segment the resource lives in. Used where an event names none of its own: the sender knows the very resource.',
  }),
  untrusted: z.boolean().optional().meta({ description: 'Reading this brings in text from outside.' }),
  external: z.boolean().optional().meta({ description: 'Writing here takes data outside.' }),
})

export const PolicyIdentity = z.strictObject({
  match: pattern,
  owner: z.string().max(128).optional(),
  contact: z.string().max(256).optional(),
  purpose: z.string().max(512).optional(),
  criticality: z.number().int().min(1).max(3).default(2).meta({ description: '1 low, 2 normal, 3 high.' }),
  peerGroup: z.string().max(128).optional(),
  segment: z.string().max(128).optional().meta({
    description:
      'Segment it lives in. Used where an event does not say from which segment it acts; one that does is believed, so that acting from elsewhere shows.',
  }),
  runbook: z.string().max(512).optional(),
})

export const PolicyRule = z.strictObject({
  id: z.string().min(1).max(64),
  identities: pattern,
  effect: z.enum(['allow', 'deny']),
  action: z.enum(['read', 'write', 'any']).default('any'),
  classes: z.array(z.string().min(1)).min(1),
})

export const PolicyException = z.strictObject({
  id: z.string().min(1).max(64),
  identities: pattern,
  families: z.array(z.string()).optional().meta({ description: 'Reason families that are quiet; absent means all.' }),
  classes: z
    .array(z.string())
    .optional()
    .meta({ description: 'Patterns of classes, as `resources` name them where they give another than the sender; absent means all.' }),
  reason: z.string().min(1).max(512),
  author: z.string().min(1).max(128),
  expires: expiry,
})

export const PolicyWindow = z
  .strictObject({
    name: z.string().min(1).max(64),
    identities: pattern.default('*'),
    from: z.iso.datetime({ offset: true }),
    to: z.iso.datetime({ offset: true }).meta({ description: 'Exclusive.' }),
  })
  .meta({ description: 'No alert of these identities while it lasts, by event time. What it keeps quiet is not learned.' })

// No defaults: a policy that is stored without a field must stay the policy that it was.
export const PolicyCalendar = z
  .strictObject({
    name: z.string().min(1),
    identities: pattern.optional().meta({ description: 'Whom it is about, a pattern; absent means all.' }),
    days: z.array(z.iso.date()).max(400).meta({ description: 'UTC days of event time.' }),
  })
  .meta({
    description:
      'Days on which an unusual hour, pace or amount is planned: month ends, on-call, stocktaking. Alerts of the families off_hours, rate and volume stay quiet and what they are about is not learned, so that ordinary days stay as they were. Data that goes to a new destination outside alerts as ever, as does everything else.',
  })

/** `plumbline.policy.yaml`: what is sensitive, who owns whom, what is allowed. Everything is optional; empty works. */
export const Policy = z
  .strictObject({
    version: z.literal(1).default(1),
    resources: z.array(PolicyResource).max(1000).default([]),
    identities: z.array(PolicyIdentity).max(10_000).default([]),
    rules: z.array(PolicyRule).max(1000).default([]),
    segments: z
      .array(z.strictObject({ from: z.string().min(1), to: z.string().min(1) }))
      .max(1000)
      .default([])
      .meta({
        description:
          'Allowed ways from segment to segment, patterns; within one segment is always allowed. Once any is listed, every other way between two known segments is forbidden and alerts like a deny rule. Empty means that ways are learned, not ruled.',
      }),
    exceptions: z.array(PolicyException).max(1000).default([]),
    maintenance: z.array(PolicyWindow).max(200).default([]),
    calendars: z.array(PolicyCalendar).max(20).default([]),
  })
  .meta({ id: 'PlumblinePolicyV1', title: 'Plumbline policy' })
export type Policy = z.infer<typeof Policy>
export type PolicyInput = z.input<typeof Policy>
