import { z } from 'zod'

/** Parts of an identity's version, as events name them. */
export const VERSION_PARTS = ['release', 'model', 'prompt', 'tools', 'code'] as const
export type VersionPart = (typeof VERSION_PARTS)[number]

const HOUR_MS = 3_600_000
const OPEN = 64

export const CHANGE_LIMITS = {
  /** Announced changes of a tenant that are not over at once. */
  open: OPEN,
  /** Announced changes of a tenant that are remembered, those that are over among them. */
  known: 3 * OPEN,
  /** Longest window, and the one of an announcement that names no end. */
  windowMs: 7 * 24 * HOUR_MS,
  usualWindowMs: 24 * HOUR_MS,
  /** How long before its window a change may be announced, and how long after the window began. */
  aheadMs: 7 * 24 * HOUR_MS,
  behindMs: 24 * HOUR_MS,
  /** Patterns of one kind in a scope. */
  patterns: 16,
} as const

const pattern = z.string().min(1).max(128).meta({ description: 'Name or pattern; `*` matches any run of characters.' })
const patterns = z.array(pattern).min(1).max(CHANGE_LIMITS.patterns).optional()

export const ChangeParts = z
  .strictObject({
    release: pattern.optional(),
    model: pattern.optional(),
    prompt: pattern.optional(),
    tools: pattern.optional(),
    code: pattern.optional(),
  })
  .refine((what) => Object.keys(what).length > 0, 'must name at least one of release, model, prompt, tools, code')
  .meta({
    description:
      'Parts of the version that change, each with the name or hash that it will have: a pattern, `*` where that is not known. An event that tells one of these parts and has another than announced is not of this change. `release` and `code` stand for each other.',
  })
export type ChangeParts = z.infer<typeof ChangeParts>

export const ChangeScope = z
  .strictObject({
    identities: patterns.meta({ description: 'Ids of agents and services, patterns as in the policy.' }),
    peerGroups: patterns.meta({ description: 'Peer groups that events or the policy name, patterns.' }),
    all: z.literal(true).optional().meta({ description: 'Every agent and service of the tenant.' }),
  })
  .refine((scope) => Object.keys(scope).length > 0, 'must name identities or peerGroups, or say "all": true')
  .meta({ description: 'Whom it is about: who fits any of these. Never a person: people are not deployed.' })
export type ChangeScope = z.infer<typeof ChangeScope>

const words = {
  id: z
    .string()
    .regex(/^[\x21-\x7e]{1,64}$/)
    .meta({ description: 'Names the change: the same one again has no effect, another one under its id is refused.' }),
  reason: z.string().min(1).max(512).meta({ description: 'What changes and why, in words for whoever reads an alert.' }),
  ticket: z.string().min(1).max(128).optional().meta({ description: 'Where it was decided.' }),
  by: z.string().min(1).max(128).meta({ description: 'Who announces it.' }),
}

const moment = z.iso.datetime({ offset: true })

/** Body of POST /v1/changes. */
export const ChangeRequest = z
  .strictObject({
    ...words,
    id: words.id.optional().meta({
      description:
        'Names the change, like the run of the deploy job. Absent: a hash of the body, so that the same body is the same change.',
    }),
    what: ChangeParts,
    scope: ChangeScope,
    from: moment.meta({ description: 'Begin of the window, by event time.' }),
    until: moment
      .optional()
      .meta({ description: 'End of the window, exclusive; 7 days after its begin at most. Absent: 24 hours after it.' }),
  })
  .meta({ id: 'PlumblineChangeRequestV1', title: 'Announcement of a change' })
export type ChangeRequest = z.infer<typeof ChangeRequest>

/** An announced change as shards have it. */
export const Change = z.strictObject({
  ...words,
  what: ChangeParts,
  scope: ChangeScope,
  from: z.number().int().meta({ unit: 'ms since epoch' }),
  until: z.number().int().meta({ unit: 'ms since epoch', description: 'Exclusive.' }),
})
export type Change = z.infer<typeof Change>

/** Answer of POST /v1/changes. `known`: it was announced before, nothing was done. */
export const ChangeAnswer = z.strictObject({
  state: z.enum(['announced', 'known']),
  tenant: z.string(),
  id: z.string(),
  from: moment,
  until: moment,
})
export type ChangeAnswer = z.infer<typeof ChangeAnswer>
