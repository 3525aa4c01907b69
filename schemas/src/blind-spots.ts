import { z } from 'zod'
import { REASON_FAMILIES } from './alert.ts'

/** What is tried on a copy of an identity's baseline, to learn from how much on it alerts. */
export const BLIND_SPOT_KINDS = [
  'volume_out',
  'new_destination',
  'volume_in',
  'sensitive_reads',
  'foreign_reads',
  'resources',
  'rate',
  'denied',
  'failed',
  'off_hours',
] as const
export type BlindSpotKind = (typeof BLIND_SPOT_KINDS)[number]

/** What each kind is, said of its amount in an hour. */
export const BLIND_SPOT_WORDS: Readonly<Record<BlindSpotKind, string>> = {
  volume_out: 'sent to a place that it uses',
  new_destination: 'sent to a place that nobody uses',
  volume_in: 'read',
  sensitive_reads: 'reads of sensitive data that it uses',
  foreign_reads: 'reads of restricted data that it never touched',
  resources: 'different resources touched',
  rate: 'acts of its usual kinds',
  denied: 'acts refused',
  failed: 'acts failed',
  off_hours: 'acts at an hour at which it is not active',
}

/** Why a kind was not tried. */
export const BLIND_SPOT_SKIPS = ['nothing_alike', 'always_active', 'too_fast'] as const
export const BLIND_SPOT_SKIP_WORDS: Readonly<Record<(typeof BLIND_SPOT_SKIPS)[number], string>> = {
  nothing_alike: 'none of its newest acts is of this kind',
  always_active: 'no hour is unusual for it',
  too_fast: 'it does more in an hour than is tried',
}

/** From how much in an hour on one kind of deviation of one identity alerts. */
export const BlindSpot = z.strictObject({
  kind: z.enum(BLIND_SPOT_KINDS),
  unit: z.enum(['bytes', 'acts', 'resources']),
  alertsFrom: z.number().nullable().meta({
    description:
      'Least amount within an hour that alerts, as every larger one that was tried does. Null: not even `upTo` does, or it was not tried.',
  }),
  upTo: z.number().meta({ description: 'Largest amount that was tried.' }),
  acts: z.number().int().nullable().meta({
    description: 'Number of acts, evenly over the hour, in which the amount is seen last; null where nothing alerted or was tried.',
  }),
  family: z.enum(REASON_FAMILIES).nullable().meta({ description: 'What the alert would name first.' }),
  usual: z.number().nullable().meta({ description: 'Amount in a usual hour that has any, where the baseline keeps it.' }),
  skipped: z.enum(BLIND_SPOT_SKIPS).nullable().meta({ description: 'Why it was not tried; null: it was.' }),
})
export type BlindSpot = z.infer<typeof BlindSpot>

/** Answer of GET /v1/blind-spots. */
export const BlindSpots = z
  .strictObject({
    tenant: z.string(),
    identity: z.string(),
    measuredAt: z.number().int().meta({ unit: 'ms since epoch' }),
    baselineAt: z.number().int().meta({ description: 'Newest event in the baseline that was tried.', unit: 'ms since epoch' }),
    releaseId: z.string(),
    detectorVersion: z.string(),
    spots: z.array(BlindSpot),
  })
  .meta({ id: 'PlumblineBlindSpotsV1' })
export type BlindSpots = z.infer<typeof BlindSpots>
