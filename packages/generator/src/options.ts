import type { EventInput, ReasonFamily } from '@plumbline/schemas'

/** How much the telemetry carries: stock OpenTelemetry; plus sizes, resources, destinations, sources; plus content features and provenance. */
export const LEVELS = ['L0', 'L1', 'L2'] as const
export type Level = (typeof LEVELS)[number]

export const ATTACK_KINDS = [
  'hr_access',
  'exfil_overnight',
  'hijack',
  'burst',
  'slow_ramp',
  'off_hours',
  'impossible_travel',
  'credential_misuse',
  'lateral_movement',
  'bad_tool_fleet',
  'probing',
  'split_flow',
] as const
export type AttackKind = (typeof ATTACK_KINDS)[number]

/**
 * What a plan without kinds places. A flow split over agents has to be asked for: it shows only to who looks across identities, and
 * it stands out where nobody else hands work on (`handoffs`).
 */
export const USUAL_KINDS: readonly AttackKind[] = ATTACK_KINDS.filter((kind) => kind !== 'split_flow')

/** The four shapes a hijack takes. `stock` victims emit L0 in benign life too, so that thin telemetry is no tell. */
export const HIJACK_VARIANTS = ['flow', 'internal', 'model_output', 'stock'] as const
export type HijackVariant = (typeof HIJACK_VARIANTS)[number]

/** In one piece, over several days, or over several identities. */
export const SPREADS = ['piece', 'days', 'identities'] as const
export type Spread = (typeof SPREADS)[number]

export type Subtlety = 1 | 2 | 3 | 4 | 5

/** Ground truth of one event. Lives beside the event, never inside it. */
export interface Label {
  readonly attack: AttackKind
  /** One attack or one twin, over all its events and identities. */
  readonly case: string
  /** Hijack variant, or the spread, or the shape of the twin. */
  readonly variant: string
  /** 1 blatant to 5 nearly invisible. */
  readonly subtlety: Subtlety
  /** Multiple of what is normal for the identity in the quantity the attack abuses. */
  readonly size: number
  /** Benign: must not alert. */
  readonly twin: boolean
  /** Carries the essence of the attack; the other events of the case are its ordinary surroundings. */
  readonly key: boolean
}

export interface Labelled {
  readonly event: EventInput
  readonly label: Label | null
}

/** One attack (or its twin) to place. Whatever is left out is drawn from the seed. */
export interface AttackSpec {
  readonly kind: AttackKind
  readonly variant?: HijackVariant
  readonly spread?: Spread
  readonly subtlety?: Subtlety
  /** Multiple of normal, or a range to draw from evenly on the log scale. Default: the range of the kind and subtlety. */
  readonly size?: number | readonly [number, number]
  /** How many cases of this specification. Default 1. */
  readonly count?: number
  /** Epoch ms of the start. Default: drawn inside the labelled days, at an hour that fits the kind. */
  readonly at?: number
  /** Victim. Default: drawn among the identities the kind applies to. */
  readonly identity?: string
  /** Place only the benign twin. Default false. */
  readonly twinOnly?: boolean
}

/** Places every kind a few times. */
export interface AttackPlan {
  /** Default: USUAL_KINDS. */
  readonly kinds?: readonly AttackKind[]
  /** Default 3, the one that bars refer to. `mixed` draws 1 to 5. */
  readonly subtlety?: Subtlety | 'mixed'
  /** Cases per kind (hijack: per variant half of it, at least one). Default 2. */
  readonly perKind?: number
  /** Sizes as multiples of normal. Default: by kind and subtlety. `[1.2, 1000]` gives the curve over size. */
  readonly size?: number | readonly [number, number]
  /** The last so many days carry the attacks (a slow ramp begins earlier). Default a fifth of `days`, 1 to 3. */
  readonly labelledDays?: number
}

/** What happens in a company that has done nothing wrong. */
export interface BenignDynamics {
  readonly deploys: boolean
  readonly joiners: boolean
  readonly monthEnd: boolean
  readonly leave: boolean
  readonly onCall: boolean
  /** Travel, VPN, new laptops, role expansion, weekend work. */
  readonly mess: boolean
}

/** Scales on the base rates of benign life, for judging on parameters that nobody tuned against. All default 1. */
export interface Tuning {
  readonly newDestinations: number
  readonly failures: number
  readonly denials: number
  readonly bigOnes: number
  readonly rareTools: number
  readonly spreadOfSizes: number
}

export interface GenerateOptions {
  /** Default 1. */
  readonly seed?: number
  /** Epoch ms, cut down to the full hour. Default Thursday 2026-10-01 00:00 UTC, so that the last three of 15 days are working days. */
  readonly startTime?: number
  /** Default 15. */
  readonly days?: number
  /** 10 to 200,000. Default 200. */
  readonly identities?: number
  /** Mean over identities and days. Default 100. */
  readonly eventsPerIdentityDay?: number
  /** Default `default`. */
  readonly tenant?: string
  /** Default L2. */
  readonly level?: Level
  /** Default: an `AttackPlan` with its defaults. */
  readonly attacks?: 'none' | AttackPlan | readonly AttackSpec[]
  /** A benign twin beside each attack. Default true. */
  readonly twins?: boolean
  /** Default true: all of it. */
  readonly benign?: boolean | Partial<BenignDynamics>
  /** Declare peer groups in events of L1 and L2. Default true; false leaves them to be found. */
  readonly peerGroups?: boolean
  /** Agents hand tasks on to others, under one trace. Default false: nobody does, and no event names a trace. */
  readonly handoffs?: boolean
  /** Report the arguments of calls as attributes (about 140 bytes an event). Default false. */
  readonly arguments?: boolean
  readonly tuning?: Partial<Tuning>
}

export interface Settings {
  readonly seed: number
  readonly startTime: number
  readonly endTime: number
  readonly days: number
  readonly identities: number
  readonly eventsPerIdentityDay: number
  readonly tenant: string
  readonly level: Level
  readonly attacks: 'none' | AttackPlan | readonly AttackSpec[]
  readonly twins: boolean
  readonly benign: BenignDynamics
  readonly peerGroups: boolean
  readonly handoffs: boolean
  readonly arguments: boolean
  readonly tuning: Tuning
}

export const HOUR = 3_600_000
export const DAY = 24 * HOUR

const dynamics = (given: boolean | Partial<BenignDynamics>): BenignDynamics => {
  const all = given !== false
  const part = typeof given === 'object' ? given : {}
  return { deploys: all, joiners: all, monthEnd: all, leave: all, onCall: all, mess: all, ...part }
}

const kindsOf = (attacks: GenerateOptions['attacks']): readonly AttackKind[] => {
  if (attacks === undefined || attacks === 'none') return []
  return Array.isArray(attacks) ? attacks.map((a: AttackSpec) => a.kind) : ((attacks as AttackPlan).kinds ?? [])
}

/** Fills in the defaults. Throws RangeError for values out of range or unknown names. */
export const settle = (options: GenerateOptions): Settings => {
  const days = options.days ?? 15
  const identities = options.identities ?? 200
  const rate = options.eventsPerIdentityDay ?? 100
  if (!(days > 0 && days <= 3660)) throw new RangeError('days must be above 0 and at most 3660')
  if (!Number.isInteger(identities) || identities < 10 || identities > 200_000) throw new RangeError('identities must be 10 to 200,000')
  if (!(rate > 0 && rate <= 100_000)) throw new RangeError('eventsPerIdentityDay must be above 0 and at most 100,000')
  if (options.level !== undefined && !LEVELS.includes(options.level)) throw new RangeError(`level must be one of ${LEVELS.join(', ')}`)
  const kinds = kindsOf(options.attacks)
  if (!kinds.every((k) => ATTACK_KINDS.includes(k))) throw new RangeError(`attack kinds are ${ATTACK_KINDS.join(', ')}`)
  const startTime = Math.floor((options.startTime ?? Date.UTC(2026, 9, 1)) / HOUR) * HOUR
  return {
    seed: (options.seed ?? 1) | 0,
    startTime,
    endTime: startTime + Math.round(days * 24) * HOUR,
    days,
    identities,
    eventsPerIdentityDay: rate,
    tenant: options.tenant ?? 'default',
    level: options.level ?? 'L2',
    attacks: options.attacks ?? {},
    twins: options.twins ?? true,
    benign: dynamics(options.benign ?? true),
    peerGroups: options.peerGroups ?? true,
    handoffs: options.handoffs ?? false,
    arguments: options.arguments ?? false,
    tuning: { newDestinations: 1, failures: 1, denials: 1, bigOnes: 1, rareTools: 1, spreadOfSizes: 1, ...options.tuning },
  }
}

/**
 * Which reason families count as the right explanation of an attack. An alert that joins a case but leads with none of
 * these is caught but not explained. Written before any detector was tuned; attacks.md says why for each.
 */
export const ACCEPTED_REASONS: Readonly<Record<AttackKind, readonly ReasonFamily[]>> = {
  hr_access: ['sensitive_access', 'policy'],
  exfil_overnight: ['volume', 'new_destination'],
  hijack: ['toxic_flow', 'new_destination', 'sensitive_access', 'new_behaviour'],
  burst: ['rate', 'volume'],
  slow_ramp: ['drift', 'volume'],
  off_hours: ['off_hours'],
  impossible_travel: ['travel', 'source'],
  credential_misuse: ['shared_credential', 'source', 'new_behaviour'],
  lateral_movement: ['lateral_movement', 'sensitive_access', 'new_behaviour'],
  bad_tool_fleet: ['new_destination', 'toxic_flow'],
  probing: ['probing', 'enumeration'],
  split_flow: ['toxic_flow', 'new_destination'],
}

/** The narrower table for the variants of the hijack. */
export const ACCEPTED_HIJACK_REASONS: Readonly<Record<HijackVariant, readonly ReasonFamily[]>> = {
  flow: ['toxic_flow', 'new_destination'],
  internal: ['toxic_flow', 'sensitive_access', 'new_behaviour', 'enumeration'],
  model_output: ['volume', 'rate', 'new_behaviour', 'toxic_flow', 'combination'],
  stock: ['toxic_flow', 'new_behaviour', 'sensitive_access', 'combination'],
}
