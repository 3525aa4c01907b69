import { z } from 'zod'

/** Bounds of an event, in characters unless the name says otherwise. Larger input is rejected, never cut. */
export const EVENT_LIMITS = {
  eventBytes: 64 * 1024,
  jsonDepth: 8,
  jsonKeys: 256,
  idChars: 128,
  identityChars: 256,
  nameChars: 128,
  resourceChars: 512,
  destinationChars: 256,
  userAgentChars: 256,
  attributeCount: 32,
  attributeKeyChars: 64,
  attributeValueChars: 512,
  delegationDepth: 8,
  destinationHashes: 64,
} as const

/** C0 and C1 controls, bidirectional overrides and line separators: they forge log lines and hide text. */
const FORBIDDEN = new RegExp('[\\u0000-\\u001f\\u007f-\\u009f\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]', 'u')

/**
 * What nobody sees, or sees as an ordinary space: soft hyphen, joiners, zero-width and other spaces, fillers, variation
 * selectors, tags, the byte order mark. By these two names that look alike would be two. Listed, not asked of the engine's
 * Unicode tables: the same log must be read alike by every version of Node.
 */
export const INVISIBLE = new RegExp(
  '[\\u00a0\\u00ad\\u034f\\u061c\\u115f\\u1160\\u1680\\u17b4\\u17b5\\u180b-\\u180f\\u2000-\\u200d\\u202f\\u205f-\\u2065\\u206a-\\u206f' +
    '\\u2800\\u3000\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffc\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}]',
  'u',
)

/** Below U+0300 nothing combines: such text is composed already. */
const MAY_COMBINE = new RegExp('[^\\u0000-\\u02ff]', 'u')
const isComposed = (s: string): boolean => !MAY_COMBINE.test(s) || s.normalize('NFC') === s

/** Text that may hold anything a person wrote: paths, tools, user agents. One that only looks like another counts as new. */
const text = (maxChars: number) =>
  z
    .string()
    .min(1, 'must not be empty; leave the field out when it is unknown')
    .max(maxChars, `must be at most ${maxChars} characters`)
    .refine((s) => s.isWellFormed() && !FORBIDDEN.test(s), 'must be well-formed text without control or bidirectional characters')

/** A name that somebody is known by: what looks alike is alike, as far as no letters of other alphabets stand in. */
const name = (maxChars: number) =>
  text(maxChars)
    .refine((s) => !INVISIBLE.test(s), 'must have no invisible characters, like zero-width spaces, soft hyphens or variation selectors')
    .refine(isComposed, 'must be composed text (Unicode NFC)')

/** Tenants are named by whoever runs the service, not by their users: plain ASCII leaves nothing to look alike. */
export const TenantName = z
  .string()
  .min(1, 'must not be empty; leave the field out when it is unknown')
  .max(EVENT_LIMITS.nameChars, `must be at most ${EVENT_LIMITS.nameChars} characters`)
  .regex(/^[\x20-\x7e]*$/, 'must be of ASCII letters, digits, punctuation and spaces')

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)

export const IDENTITY_KINDS = ['agent', 'user', 'service'] as const
export const OUTCOMES = ['success', 'failure', 'denied'] as const
/** Where a destination's value was first seen: in the user's request, in an earlier tool result, or nowhere before. */
export const PROVENANCES = ['user', 'tool', 'new'] as const

const EPOCH_MS_MIN = Date.UTC(2000, 0, 1)
const EPOCH_MS_MAX = Date.UTC(2100, 0, 1)

/** `Date.parse` quietly turns 30 February into 2 March. */
const dayExists = (s: string): boolean =>
  Number(s.slice(8, 10)) <= new Date(Date.UTC(Number(s.slice(0, 4)), Number(s.slice(5, 7)), 0)).getUTCDate()

/** Event time. Epoch milliseconds on output; on input also RFC 3339 with a zone. */
export const EventTime = z
  .union([
    z.number().int(),
    z
      .string()
      .max(40)
      .regex(
        /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/,
        'must be RFC 3339 with a zone, like 2026-01-31T08:00:00.000Z, or integer epoch milliseconds',
      )
      .refine(dayExists, 'must name a day that exists')
      .transform((s) => Date.parse(s)),
  ])
  .pipe(
    z
      .number()
      .int('must be RFC 3339 or integer epoch milliseconds')
      .min(EPOCH_MS_MIN, 'must not be before the year 2000; are these seconds rather than milliseconds?')
      .max(EPOCH_MS_MAX, 'must not be after the year 2100; are these microseconds rather than milliseconds?'),
  )
  .meta({ description: 'When it happened. RFC 3339 with a zone, or epoch milliseconds.', unit: 'ms since epoch' })

export const Principal = z.object({
  id: name(EVENT_LIMITS.identityChars).meta({ description: 'Stable identifier of the agent, person or workload.' }),
  kind: z.enum(IDENTITY_KINDS).meta({ description: 'What the identity is.' }),
})

export const Identity = Principal.extend({
  instance: text(EVENT_LIMITS.nameChars).optional().meta({ description: 'One running copy of the identity (pod, host, process).' }),
  attested: name(EVENT_LIMITS.nameChars)
    .optional()
    .meta({ description: 'How the identity was proven, or who relayed it; absent means the sender only claims it.' }),
  version: z
    .object({
      release: text(EVENT_LIMITS.nameChars).optional(),
      model: text(EVENT_LIMITS.nameChars).optional(),
      prompt: text(EVENT_LIMITS.nameChars).optional(),
      tools: text(EVENT_LIMITS.nameChars).optional(),
      code: text(EVENT_LIMITS.nameChars).optional(),
    })
    .optional()
    .meta({ description: 'Name or hash of each part that can change behaviour; absent means unknown.' }),
})

export const Resource = z.object({
  id: text(EVENT_LIMITS.resourceChars).optional().meta({ description: 'What was acted on (table, path, URL, record).' }),
  class: text(EVENT_LIMITS.nameChars).meta({ description: 'Kind of resource, like hr, crm, messaging, files.' }),
  sensitivity: z.number().int().min(0).max(3).optional().meta({ description: '0 public, 1 internal, 2 confidential, 3 restricted.' }),
  segment: text(EVENT_LIMITS.nameChars).optional().meta({ description: 'Network or trust segment the resource lives in.' }),
})

export const Source = z.object({
  ip: z.union([z.ipv4(), z.ipv6()]).optional().meta({ description: 'Address the request came from.' }),
  userAgent: text(EVENT_LIMITS.userAgentChars).optional(),
  country: z
    .string()
    .regex(/^[A-Z]{2}$/, 'must be an ISO 3166 alpha-2 code')
    .optional(),
  asn: z.number().int().min(0).max(4_294_967_295).optional(),
})

/** Features of text, computed where the text is; never the text itself. */
export const Content = z.object({
  untrusted: z.boolean().optional().meta({ description: 'The result read contains text from outside the organisation.' }),
  instructionLikeness: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .meta({ description: 'How much the text read looks like instructions to a model.' }),
  entropy: z.number().min(0).max(8).optional().meta({ description: 'Shannon entropy of the text sent.', unit: 'bits per byte' }),
  argumentsFromUser: count.optional().meta({ description: 'Arguments whose value stands in the request.', unit: 'arguments' }),
  argumentsFromTool: count.optional().meta({ description: 'Arguments first seen in a tool result.', unit: 'arguments' }),
  argumentsNew: count.optional().meta({ description: 'Arguments seen nowhere before.', unit: 'arguments' }),
  destinationHashes: z
    .array(z.string().regex(/^[0-9a-f]{8,32}$/, 'must be 8 to 32 hexadecimal digits in lower case'))
    .max(EVENT_LIMITS.destinationHashes)
    .optional()
    .meta({ description: 'Keyed hashes of destination-like strings seen in the tool result.' }),
})

export const AttributeKey = text(EVENT_LIMITS.attributeKeyChars)

export const AttributeValue = z.union([
  z
    .string()
    .max(EVENT_LIMITS.attributeValueChars)
    .refine((s) => s.isWellFormed() && !FORBIDDEN.test(s), 'must be well-formed text without control or bidirectional characters'),
  z.number(),
  z.boolean(),
])

/** Attribute that the decoder adds to an event some of whose unknown fields fit no attribute: how many. Has a place of its own. */
export const LEFT_OUT = 'plumbline.leftOut'

const hasRoom = (attributes: object): boolean =>
  Object.keys(attributes).length - (Object.hasOwn(attributes, LEFT_OUT) ? 1 : 0) <= EVENT_LIMITS.attributeCount

const eventShape = {
  v: z.literal(1).default(1).meta({ description: 'Version of this schema.' }),
  id: text(EVENT_LIMITS.idChars).meta({ description: 'Unique id from the sender; a repeat is stored, flagged and not scored.' }),
  time: EventTime,
  tenant: TenantName.default('default').meta({ description: 'Who the event belongs to; tenants never mix.' }),
  identity: Identity,
  delegation: z.array(Principal).max(EVENT_LIMITS.delegationDepth).optional().meta({ description: 'On whose behalf, nearest first.' }),
  peerGroup: name(EVENT_LIMITS.nameChars).optional().meta({ description: 'Declared peer group; absent means found from behaviour.' }),
  session: text(EVENT_LIMITS.idChars)
    .optional()
    .meta({ description: 'One task or conversation; absent means split at 30 minutes of silence.' }),
  rootSession: text(EVENT_LIMITS.idChars).optional(),
  trace: text(EVENT_LIMITS.idChars).optional().meta({ description: 'Trace id, for joining.' }),
  action: text(EVENT_LIMITS.nameChars).meta({ description: 'Operation or tool name.' }),
  resource: Resource,
  segment: text(EVENT_LIMITS.nameChars).optional().meta({ description: 'Segment the identity acts from.' }),
  destination: text(EVENT_LIMITS.destinationChars).optional().meta({ description: 'Where data goes: host, mail domain, account or path.' }),
  destinationProvenance: z.enum(PROVENANCES).optional().meta({ description: 'Where the destination value was first seen.' }),
  outcome: z.enum(OUTCOMES).default('success'),
  bytesIn: count.optional().meta({ description: 'Read by the identity.', unit: 'bytes' }),
  bytesOut: count.optional().meta({ description: 'Sent by the identity.', unit: 'bytes' }),
  tokensIn: count.optional().meta({ unit: 'tokens' }),
  tokensOut: count.optional().meta({ unit: 'tokens' }),
  durationMs: z.number().min(0).max(Number.MAX_SAFE_INTEGER).optional().meta({ unit: 'ms' }),
  source: Source.optional(),
  content: Content.optional(),
  attributes: z
    .record(AttributeKey, AttributeValue)
    .refine(hasRoom, `must have at most ${EVENT_LIMITS.attributeCount} entries`)
    .optional()
    .meta({
      description:
        'Anything else. Fields that this version does not know are moved here under their path, lists and objects as JSON text; ' +
        `\`${LEFT_OUT}\` counts those that fit no attribute.`,
    }),
}

/**
 * One access event of an agent, person or workload, version 1. Unknown fields are not refused, wherever they stand:
 * the decoder moves them into `attributes` (additive within v1, contracts C15).
 */
export const Event = z.object(eventShape).meta({ id: 'PlumblineEventV1', title: 'Plumbline event, version 1' })

const namesOf = (object: { readonly shape: object }): ReadonlySet<string> => new Set(Object.keys(object.shape))

/** Fields that version 1 knows, for each object in an event by its path; items of a list go by the path of the list. */
export const EVENT_FIELDS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['', namesOf(Event)],
  ['identity', namesOf(Identity)],
  ['identity.version', namesOf(Identity.shape.version.unwrap())],
  ['delegation', namesOf(Principal)],
  ['resource', namesOf(Resource)],
  ['source', namesOf(Source)],
  ['content', namesOf(Content)],
])

/** What a sender may write. */
export type EventInput = z.input<typeof Event>
/** What the log holds: defaults filled in, `time` in epoch milliseconds. */
export type Event = z.output<typeof Event>
export type IdentityKind = (typeof IDENTITY_KINDS)[number]
export type Outcome = (typeof OUTCOMES)[number]
export type Provenance = (typeof PROVENANCES)[number]
