import {
  USUAL_KINDS,
  type AttackKind,
  type AttackPlan,
  type AttackSpec,
  DAY,
  HIJACK_VARIANTS,
  type HijackVariant,
  type Settings,
  type Spread,
  type Subtlety,
} from '../options.ts'
import { hashText, Rng } from '../prng.ts'
import type { PlacedEvent } from '../stream.ts'
import type { World } from '../world.ts'
import {
  credentialMisuse,
  credentialMisuseTwin,
  impossibleTravel,
  impossibleTravelTwin,
  lateralMovement,
  lateralMovementTwin,
  offHours,
  offHoursTwin,
  probing,
  probingTwin,
} from './access.ts'
import { Case, type CaseSpec } from './case.ts'
import { exfilOvernight, exfilOvernightTwin, hrAccess, hrAccessTwin, slowRamp, slowRampTwin } from './data.ts'
import { badToolFleet, badToolFleetTwin, hijack, hijackTwin } from './flow.ts'
import { splitFlow, splitFlowTwin } from './handoff.ts'
import { burst, burstTwin } from './rate.ts'

type Range = readonly [number, number]

interface Maker {
  readonly attack: (c: Case) => void
  readonly twin: (c: Case) => void
  /** Sizes to draw from, by subtlety. */
  readonly sizes: readonly [Range, Range, Range, Range, Range]
  readonly twinSizes: Range
  readonly spreads: readonly Spread[]
}

const ANYHOW: readonly Spread[] = ['piece', 'piece', 'piece', 'days', 'identities']
const WHOLE: readonly Spread[] = ['piece']

const MAKERS: Readonly<Record<AttackKind, Maker>> = {
  hr_access: {
    attack: hrAccess,
    twin: hrAccessTwin,
    sizes: [
      [100, 500],
      [30, 150],
      [8, 80],
      [2, 8],
      [1.2, 2],
    ],
    twinSizes: [1, 2],
    spreads: ANYHOW,
  },
  exfil_overnight: {
    attack: exfilOvernight,
    twin: exfilOvernightTwin,
    sizes: [
      [300, 1000],
      [100, 400],
      [30, 200],
      [5, 30],
      [1.2, 5],
    ],
    twinSizes: [1, 2],
    spreads: ANYHOW,
  },
  hijack: {
    attack: hijack,
    twin: hijackTwin,
    sizes: [
      [100, 1000],
      [20, 200],
      [5, 50],
      [2, 6],
      [1.2, 2],
    ],
    twinSizes: [1, 2.5],
    spreads: WHOLE,
  },
  burst: {
    attack: burst,
    twin: burstTwin,
    sizes: [
      [300, 1000],
      [50, 300],
      [8, 60],
      [2, 8],
      [1.2, 2],
    ],
    twinSizes: [1, 2],
    spreads: WHOLE,
  },
  slow_ramp: {
    attack: slowRamp,
    twin: slowRampTwin,
    sizes: [
      [30, 100],
      [12, 30],
      [5, 12],
      [2, 5],
      [1.2, 2],
    ],
    twinSizes: [1.2, 1.6],
    spreads: ['days'],
  },
  off_hours: {
    attack: offHours,
    twin: offHoursTwin,
    sizes: [
      [20, 60],
      [8, 20],
      [3, 10],
      [1.5, 4],
      [1.2, 2],
    ],
    twinSizes: [1, 2],
    spreads: WHOLE,
  },
  impossible_travel: {
    attack: impossibleTravel,
    twin: impossibleTravelTwin,
    sizes: [
      [10, 50],
      [5, 20],
      [2, 8],
      [1.5, 4],
      [1.2, 2],
    ],
    twinSizes: [1, 2],
    spreads: WHOLE,
  },
  credential_misuse: {
    attack: credentialMisuse,
    twin: credentialMisuseTwin,
    sizes: [
      [20, 60],
      [8, 20],
      [3, 10],
      [1.5, 4],
      [1.2, 2],
    ],
    twinSizes: [1, 2],
    spreads: WHOLE,
  },
  lateral_movement: {
    attack: lateralMovement,
    twin: lateralMovementTwin,
    sizes: [
      [30, 100],
      [10, 40],
      [4, 15],
      [2, 4],
      [1.2, 2],
    ],
    twinSizes: [1, 2],
    spreads: WHOLE,
  },
  bad_tool_fleet: {
    attack: badToolFleet,
    twin: badToolFleetTwin,
    sizes: [
      [20, 100],
      [8, 40],
      [2, 15],
      [1.5, 4],
      [1.2, 2],
    ],
    twinSizes: [1, 1.5],
    spreads: ['identities'],
  },
  probing: {
    attack: probing,
    twin: probingTwin,
    sizes: [
      [30, 100],
      [10, 40],
      [4, 15],
      [2, 4],
      [1.2, 2],
    ],
    twinSizes: [1, 2],
    spreads: WHOLE,
  },
  split_flow: {
    attack: splitFlow,
    twin: splitFlowTwin,
    sizes: [
      [20, 100],
      [5, 30],
      [1.5, 5],
      [1.1, 2],
      [1.05, 1.2],
    ],
    twinSizes: [1, 2],
    spreads: WHOLE,
  },
}

const isList = (a: Settings['attacks']): a is readonly AttackSpec[] => Array.isArray(a)

const planSpecs = (plan: AttackPlan): AttackSpec[] => {
  const perKind = plan.perKind ?? 2
  const base = {
    ...(plan.size === undefined ? {} : { size: plan.size }),
    ...(plan.subtlety === undefined || plan.subtlety === 'mixed' ? {} : { subtlety: plan.subtlety }),
  }
  return (plan.kinds ?? USUAL_KINDS).flatMap((kind): AttackSpec[] =>
    kind === 'hijack'
      ? HIJACK_VARIANTS.map((variant) => ({ ...base, kind, variant, count: Math.ceil(perKind / 2) }))
      : [{ ...base, kind, count: perKind }],
  )
}

/** Days at the end of the stream that carry attacks. */
export const labelledFrom = (s: Settings): number => {
  const asked = typeof s.attacks === 'object' && !isList(s.attacks) ? s.attacks.labelledDays : undefined
  const days = Math.min(s.days, asked ?? Math.max(1, Math.min(3, Math.floor(s.days / 5))))
  return Math.max(s.startTime, s.endTime - Math.round(days * DAY))
}

const draw = (rng: Rng, size: number | Range): number => (typeof size === 'number' ? size : rng.logBetween(size[0], size[1]))

const variantOf = (spec: AttackSpec, maker: Maker, rng: Rng): string => {
  if (spec.kind === 'hijack') return spec.variant ?? (rng.pick(HIJACK_VARIANTS) as HijackVariant)
  return spec.spread ?? rng.pick(maker.spreads)
}

/**
 * Every event of every attack and twin, from the seed alone. Each case draws from its own substream: leaving one out
 * does not change the others' randomness, and nothing here touches benign life.
 */
export const placeAttacks = (world: World): PlacedEvent[] => {
  const s = world.settings
  if (s.attacks === 'none') return []
  const mixed = !isList(s.attacks) && s.attacks.subtlety === 'mixed'
  const specs = isList(s.attacks) ? s.attacks : planSpecs(s.attacks)
  const from = labelledFrom(s)
  const taken = new Set<number>()
  const placed: PlacedEvent[] = []
  const counts = new Map<string, number>()
  for (const spec of specs) {
    const maker = MAKERS[spec.kind]
    for (let i = 0; i < (spec.count ?? 1); i++) {
      const stem = spec.variant === undefined ? spec.kind : `${spec.kind}-${spec.variant}`
      const n = (counts.get(stem) ?? 0) + 1
      counts.set(stem, n)
      const rng = new Rng(s.seed, hashText(stem), n)
      const subtlety: Subtlety = spec.subtlety ?? (mixed ? ((1 + rng.below(5)) as Subtlety) : 3)
      const variant = variantOf(spec, maker, rng)
      const shape: Omit<CaseSpec, 'name' | 'twin' | 'size'> = { kind: spec.kind, variant, subtlety, at: spec.at, victim: spec.identity }
      const run = (twin: boolean, size: number): void => {
        const name = twin ? `${stem}-${n}-twin` : `${stem}-${n}`
        const own = new Rng(s.seed, hashText(name), 7)
        const c = new Case(
          world,
          { ...shape, name, twin, size, victim: twin && spec.twinOnly !== true ? undefined : shape.victim },
          own,
          from,
          s.endTime,
          taken,
        )
        ;(twin ? maker.twin : maker.attack)(c)
        placed.push(...c.placed.filter((p) => p.event.time >= s.startTime && p.event.time < s.endTime))
      }
      if (spec.twinOnly !== true) run(false, draw(rng, spec.size ?? maker.sizes[subtlety - 1]!))
      if (s.twins || spec.twinOnly === true) run(true, draw(rng, maker.twinSizes))
    }
  }
  return placed
}
