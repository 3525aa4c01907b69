import { z } from 'zod'
import { REASON_FAMILIES } from './alert.ts'
import { EVENT_LIMITS } from './event.ts'

/** What is tried on a copy of an identity's baseline, to learn from how much on it alerts. */
export const BLIND_SPOT_KINDS = [
  'volume_out',
  'new_destination',
  'volume_in',
  'sensitive_reads',
  'foreign_reads',
  'foreign_tool',
  'resources',
  'rate',
  'denied',
  'failed',
  'off_hours',
] as const
export type BlindSpotKind = (typeof BLIND_SPOT_KINDS)[number]

/** What each kind is, said of its amount in an hour. */
const KIND_WORDS: Readonly<Record<BlindSpotKind, string>> = {
  volume_out: 'Sent to a place that it uses',
  new_destination: 'Sent to a place that nobody uses',
  volume_in: 'Read',
  sensitive_reads: 'Reads of sensitive data that it uses',
  foreign_reads: 'Reads of restricted data that it never touched',
  foreign_tool: 'Reads of restricted data by a tool that is new to it',
  resources: 'Different resources touched',
  rate: 'Acts of its usual kinds',
  denied: 'Acts refused',
  failed: 'Acts failed',
  off_hours: 'Acts at an hour at which it is not active',
}

/** Why a kind was not tried. */
export const BLIND_SPOT_SKIPS = ['nothing_alike', 'always_active', 'too_fast'] as const
const SKIP_WORDS: Readonly<Record<(typeof BLIND_SPOT_SKIPS)[number], string>> = {
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

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const
/** Three digits, rounded up: what is said to alert does. */
const roundUp = (value: number): number => {
  let step = 1
  while (value >= 1000 * step) step *= 10
  return Math.ceil(value / step) * step
}
const amountWords = (value: number, unit: BlindSpot['unit']): string => {
  if (unit !== 'bytes') return value.toLocaleString('en-US')
  let [size, at] = [roundUp(Math.ceil(value)), 0]
  while (size >= 1000 && at < UNITS.length - 1) {
    size /= 1000
    at++
  }
  return `${Number(size.toPrecision(3))} ${UNITS[at]}`
}

/** "Sent to a place that it uses: would alert at ≥ 41 MB an hour (usually 2 MB); below that, blind." */
export const blindSpotText = ({ kind, unit, alertsFrom, upTo, usual, skipped }: BlindSpot): string => {
  const what = KIND_WORDS[kind]
  if (skipped !== null) return `${what}: not tried, ${SKIP_WORDS[skipped]}.`
  const usually = usual === null || usual < 0.5 ? '' : ` (usually ${amountWords(Math.round(usual), unit)})`
  if (alertsFrom === null) return `${what}: blind. Not even ${amountWords(upTo, unit)} an hour would alert${usually}.`
  if (unit !== 'bytes' && alertsFrom === 1) return `${what}: would alert at the first.`
  return `${what}: would alert at ≥ ${amountWords(alertsFrom, unit)} an hour${usually}; below that, blind.`
}

/** What was found of one identity. */
export const BlindSpots = z
  .strictObject({
    tenant: z.string(),
    identity: z.string(),
    measuredAt: z.number().int().meta({ unit: 'ms since epoch' }),
    baselineAt: z.number().int().meta({ description: 'Newest event in the baseline that was tried.', unit: 'ms since epoch' }),
    releaseId: z.string(),
    detectorVersion: z.string(),
    spots: z.array(BlindSpot.extend({ text: z.string().meta({ description: 'The same in words.' }) })),
  })
  .meta({ id: 'PlumblineBlindSpotsV1' })
export type BlindSpots = z.infer<typeof BlindSpots>

export const BlindSpotQuery = z.strictObject({
  tenant: z.string().min(1).max(EVENT_LIMITS.nameChars).optional().meta({ description: "Default: the token's own, else `default`." }),
  identity: z.string().min(1).max(EVENT_LIMITS.identityChars),
  measure: z.enum(['true', 'false']).default('false').meta({
    description: 'Measure now rather than tell what was found last; what is less than a minute old is told as it is.',
  }),
})
export type BlindSpotQuery = z.infer<typeof BlindSpotQuery>

/** Answer of GET /v1/blind-spots. */
export const BlindSpotAnswer = z.strictObject({
  measured: BlindSpots.nullable().meta({ description: 'What was found last; null while the identity was not tested yet.' }),
})
export type BlindSpotAnswer = z.infer<typeof BlindSpotAnswer>
