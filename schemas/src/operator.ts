import { z } from 'zod'
import { EVENT_LIMITS } from './event.ts'
import { IngestAnswer } from './api.ts'
import { Change, ChangeAnswer, ChangeRequest } from './change.ts'
import { CHANGE_STATES } from './change-view.ts'
import { ReleaseEnvelope } from './release.ts'

/**
 * Requests that set arrival times, learn history or start work: for the operator of the machine, never for senders.
 * A process makes a new operator key at each start and takes it from its own machine only.
 */

/** Names a file for ever: a hash over tenant, format, name, size and content. */
const FileId = z.string().regex(/^[0-9a-f]{16,64}$/)
const Places = z.record(FileId, z.number().int().min(0)).meta({ description: 'Per file how many of its events, in event-time order.' })
const tenant = z.string().min(1).max(EVENT_LIMITS.nameChars)

/** First line of POST /v1/operator/feed; the events follow, one per line, in event-time order. */
export const FeedHeader = z.strictObject({
  mode: z.enum(['history', 'replay']).meta({
    description:
      'history: exempt from the limit on late events, alerts stored and never forwarded. replay: as if it had arrived at its event time.',
  }),
  tenant: tenant.meta({ description: 'Under which the places of the files are kept.' }),
  id: z
    .string()
    .regex(/^[\x21-\x7e]{1,160}$/)
    .meta({ description: 'Names this request: repeated within 24 h it has no effect.' }),
  arrival: z
    .number()
    .int()
    .min(0)
    .meta({ unit: 'ms since epoch', description: 'Arrival of the event before the first one here; 0 at the start.' }),
  from: Places.meta({ description: 'Where each file stood before; the request is refused when that is not so.' }),
  to: Places.meta({ description: 'Where each file stands after it; stored together with the events.' }),
})
export type FeedHeader = z.infer<typeof FeedHeader>

/** `taken`: the events are durable. `busy`: send it again, a training comes first. `elsewhere`: go on from `places`. */
export const FeedAnswer = z.discriminatedUnion('state', [
  z.strictObject({ state: z.literal('taken'), arrival: z.number().int(), ...IngestAnswer.shape }),
  z.strictObject({ state: z.literal('busy'), learning: z.boolean() }),
  z.strictObject({ state: z.literal('elsewhere'), places: Places }),
])
export type FeedAnswer = z.infer<typeof FeedAnswer>

/** POST /v1/operator/places: where files of a tenant's history stand. */
export const PlacesRequest = z.strictObject({ tenant, files: z.array(FileId).max(100_000) })
export type PlacesRequest = z.infer<typeof PlacesRequest>
export const PlacesAnswer = z.strictObject({
  places: Places,
  live: z.number().int().meta({ description: 'Events of the tenant that are no history.', unit: 'events' }),
})
export type PlacesAnswer = z.infer<typeof PlacesAnswer>

/** POST /v1/operator/settle: `done` once everything is scored, released as far as due, and stored. Ask again until it is. */
export const SettleRequest = z.strictObject({
  tenants: z.array(tenant).max(1000),
  complete: z.boolean().default(false).meta({ description: 'A history ends here: the release in force is to be of all of it.' }),
})
export type SettleRequest = z.infer<typeof SettleRequest>
export const SettleAnswer = z.strictObject({ done: z.boolean(), learning: z.boolean() })
export type SettleAnswer = z.infer<typeof SettleAnswer>

/** POST /v1/operator/history: what the history in these files made of a tenant. */
export const HistoryRequest = z.strictObject({
  tenant,
  under: tenant.meta({ description: 'Under which the places of the files are kept.' }),
  files: z.array(FileId).max(100_000),
})
export type HistoryRequest = z.infer<typeof HistoryRequest>
export const HistoryAnswer = z.strictObject({
  alerts: z.number().int().meta({ description: 'Alert groups it would have raised.', unit: 'alert groups' }),
  top: z
    .array(z.strictObject({ id: z.string(), headline: z.string(), severity: z.string(), score: z.number(), firstSeen: z.number().int() }))
    .meta({ description: 'The five worst.' }),
  identities: z.array(z.strictObject({ identity: z.string(), events: z.number().int(), maturity: z.number() })),
  models: z.number().int().meta({ description: 'Releases with a model that were made from it.' }),
})
export type HistoryAnswer = z.infer<typeof HistoryAnswer>

/** POST /v1/operator/train: begins a training, or answers for the one under way. Ask again while it is `running`. */
export const TrainRequest = z.strictObject({ tenant })
export type TrainRequest = z.infer<typeof TrainRequest>
export const TrainAnswer = z.discriminatedUnion('state', [
  z.strictObject({ state: z.literal('running') }),
  z.strictObject({
    state: z.literal('released'),
    releaseId: z.string(),
    sha256: z.string(),
    modelled: z.boolean().meta({ description: 'False: too few usable events for a model, statistics of peers alone.' }),
    events: z.number().int().meta({ description: 'Events of the tenant when the training began.', unit: 'events' }),
  }),
  z.strictObject({
    state: z.literal('held'),
    releaseId: z.string(),
    sha256: z.string(),
    reasons: z.array(z.string()).meta({ description: 'Why it was not put into use: the release before it stays in force.' }),
  }),
])
export type TrainAnswer = z.infer<typeof TrainAnswer>

/** POST /v1/operator/releases: a tenant's releases, oldest first. */
export const ReleasesRequest = z.strictObject({ tenant })
export type ReleasesRequest = z.infer<typeof ReleasesRequest>
const Shadow = z.strictObject({
  inForce: z.string().meta({ description: 'Release that it was held against.' }),
  rows: z.number().int().meta({ description: 'Held-out rows, all later than those that it was trained on.' }),
  detection: z.tuple([z.number(), z.number()]).meta({ description: 'Share of synthetic deviations found: by it, by the one in force.' }),
  loss: z.tuple([z.number(), z.number()]).meta({ description: 'Error on the held-out rows.' }),
  exceedance2: z.tuple([z.number(), z.number()]).meta({ description: 'How often one in a hundred happens, 1 is as calibrated.' }),
  groupsPerDay: z.tuple([z.number(), z.number()]).meta({ description: 'Alerts a day for their score alone.' }),
})
export const ReleaseLine = z.strictObject({
  id: z.string(),
  sequence: z.number().int(),
  sha256: z.string(),
  state: z.enum(['in_force', 'earlier', 'held']),
  modelled: z.boolean(),
  events: z.number().int().meta({ description: 'Events of the tenant when it was made.', unit: 'events' }),
  toTime: z.number().int().meta({ description: 'Newest event time that its training read.', unit: 'ms since epoch' }),
  madeAt: z.number().int().meta({ unit: 'ms since epoch' }),
  orderedBy: z.string().meta({ description: 'schedule, or who asked for it.' }),
  restores: z.string().nullable().meta({ description: 'The earlier release whose content it is.' }),
  held: z.array(z.string()).meta({ description: 'Why it was not put into use.' }),
  checks: z
    .enum(['passed', 'warned', 'failed'])
    .nullable()
    .meta({ description: 'What the checks of its rows said; null without a model.' }),
  shadow: Shadow.nullable().meta({ description: 'null where there was no model to hold it against.' }),
})
export type ReleaseLine = z.infer<typeof ReleaseLine>
export const ReleasesAnswer = z.strictObject({ releases: z.array(ReleaseLine) })
export type ReleasesAnswer = z.infer<typeof ReleasesAnswer>

/** POST /v1/operator/release: everything that is kept of one. */
export const ReleaseRequest = z.strictObject({ tenant, releaseId: z.string().min(1).max(300) })
export type ReleaseRequest = z.infer<typeof ReleaseRequest>
export const ReleaseAnswer = z.strictObject({
  release: ReleaseLine,
  artifact: z.base64().meta({ description: 'The signed bytes.' }),
  envelope: ReleaseEnvelope,
  appraisal: z.unknown().meta({ description: 'Checks and comparison, as the trainer stored them; null without a model.' }),
})
export type ReleaseAnswer = z.infer<typeof ReleaseAnswer>

/** POST /v1/operator/restore: an earlier release in force once more. */
export const RestoreRequest = z.strictObject({
  tenant,
  releaseId: z.string().min(1).max(300).optional().meta({ description: 'Absent: the one before the present.' }),
  held: z.boolean().default(false).meta({ description: 'Also one that was held back.' }),
})
export type RestoreRequest = z.infer<typeof RestoreRequest>
export const RestoreAnswer = z.strictObject({
  releaseId: z.string().meta({ description: 'What is in force now: the old content under the next number.' }),
  restores: z.string(),
  sha256: z.string(),
  modelled: z.boolean(),
})
export type RestoreAnswer = z.infer<typeof RestoreAnswer>

/** POST /v1/operator/erase: forgets one identity and deletes what is stored of it. Ask again while it is `running`. */
export const EraseRequest = z.strictObject({
  tenant,
  identity: z.string().min(1).max(EVENT_LIMITS.identityChars).meta({ description: 'Id of the identity, as its events say it.' }),
})
export type EraseRequest = z.infer<typeof EraseRequest>
export const EraseAnswer = z.discriminatedUnion('state', [
  z.strictObject({ state: z.literal('running') }),
  z.strictObject({
    state: z.literal('erased'),
    records: z
      .number()
      .int()
      .meta({ description: 'Records of the log that went: events, verdicts and the request itself.', unit: 'records' }),
  }),
])
export type EraseAnswer = z.infer<typeof EraseAnswer>

/** POST /v1/operator/changes: the changes announced of a tenant, oldest first. */
export const ChangesRequest = z.strictObject({ tenant })
export type ChangesRequest = z.infer<typeof ChangesRequest>
export const ChangeLine = z.strictObject({
  change: Change,
  state: z.enum(CHANGE_STATES),
  announcedAt: z.number().int().meta({ unit: 'ms since epoch' }),
  actor: z.string().meta({ description: 'Who announced it, as the audit log says.' }),
})
export type ChangeLine = z.infer<typeof ChangeLine>
export const ChangesAnswer = z.strictObject({ changes: z.array(ChangeLine) })
export type ChangesAnswer = z.infer<typeof ChangesAnswer>

/** POST /v1/operator/announce: a change announced with the rights of the operator. Answered as POST /v1/changes is. */
export const AnnounceRequest = z.strictObject({ tenant, change: ChangeRequest })
export type AnnounceRequest = z.infer<typeof AnnounceRequest>
export const AnnounceAnswer = ChangeAnswer
export type AnnounceAnswer = z.infer<typeof AnnounceAnswer>

/** POST /v1/operator/withdraw: ends a change now. */
export const WithdrawRequest = z.strictObject({ tenant, id: z.string().min(1).max(64) })
export type WithdrawRequest = z.infer<typeof WithdrawRequest>
export const WithdrawAnswer = z.strictObject({ id: z.string(), wasUntil: z.number().int().meta({ unit: 'ms since epoch' }) })
export type WithdrawAnswer = z.infer<typeof WithdrawAnswer>

/** GET /v1/alerts/{id}/replay: the alert's score made again from its own capsule. */
export const ReplayAnswer = z.strictObject({
  alertId: z.string(),
  revision: z.number().int().meta({ description: 'Revision whose event was scored again.' }),
  detectorVersion: z.string(),
  releaseId: z.string(),
  identical: z.boolean().meta({ description: 'Score and every feature are the recorded ones, bit for bit.' }),
  score: z.number(),
  recordedScore: z.number(),
  differences: z.array(z.strictObject({ feature: z.string(), recorded: z.number(), recomputed: z.number() })),
})
export type ReplayAnswer = z.infer<typeof ReplayAnswer>
