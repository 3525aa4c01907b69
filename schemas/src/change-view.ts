import { z } from 'zod'
import { Change, CHANGE_LIMITS } from './change.ts'
import { EVENT_LIMITS } from './event.ts'

/** What an announced change is now: `ahead` its window has not begun, `open` it is in effect, then `over` or `withdrawn`. */
export const CHANGE_STATES = ['ahead', 'open', 'over', 'withdrawn'] as const
export type ChangeState = (typeof CHANGE_STATES)[number]

const name = z.string().min(1).max(EVENT_LIMITS.nameChars)

/** Query of GET /v1/changes. */
export const ChangeQuery = z.strictObject({
  tenant: name.optional(),
  state: z.enum(CHANGE_STATES).optional().meta({ description: '`open`: only those in effect now.' }),
  identity: z.string().min(1).max(EVENT_LIMITS.identityChars).optional().meta({
    description: 'Only those whose scope takes in an agent or service of this id, by its peer group too where the policy names that.',
  }),
  peerGroup: name.optional().meta({
    description:
      'Only those whose scope takes in this peer group; with `identity`, those that take in either: for groups that events name.',
  }),
  limit: z.coerce.number().int().min(1).max(500).default(100),
  cursor: z.string().max(1024).optional().meta({ description: 'Of the page before.' }),
})
export type ChangeQuery = z.infer<typeof ChangeQuery>

/** An announced change as the console and the API show it. How it was signed is not kept. */
export const ChangeView = z.strictObject({
  tenant: z.string(),
  ...Change.shape,
  state: z.enum(CHANGE_STATES).meta({
    description: 'What it is now, by the clock of the service: `ahead` of its window, `open` (in effect), `over`, or `withdrawn`.',
  }),
  announcedAt: z.number().int().meta({ unit: 'ms since epoch', description: 'When it was received.' }),
  actor: z.string().meta({ description: 'Who announced it, as the audit log says: `deploy key` with its name, or `operator`.' }),
})
export type ChangeView = z.infer<typeof ChangeView>

export const ChangePage = z.strictObject({
  changes: z.array(ChangeView).meta({
    description: `Newest announcement first. At most ${CHANGE_LIMITS.known} of a tenant are remembered; of those that are over the oldest give way.`,
  }),
  cursor: z.string().nullable().meta({ description: 'Pass it back to read on; null at the end.' }),
})
export type ChangePage = z.infer<typeof ChangePage>
