import { FEATURES, IDENTITY_KINDS, type ReasonFamily } from '@plumbline/schemas'
import { N, NUMBER_FIELDS } from '../record.ts'
import type { GroupStats } from '../state/groups.ts'
import { W } from '../state/layout.ts'
import { windowAt } from '../state/window-of.ts'
import { Work } from '../work.ts'
import { ruleOf } from './rules.ts'

/** A sheet on which no rule speaks, but for what it is given: limits of rules one by one, without a life behind them. */
export interface Sheet {
  readonly kind?: 'agent' | 'user' | 'service'
  readonly outcome?: number
  readonly tail?: number
  readonly maturity?: number
  readonly fleet?: number
  readonly bytesOut?: number
  readonly bytesIn?: number
  /** Mean and variance of the logarithm of the bytes of its hours, sent and read. */
  readonly hours?: readonly [number, number]
  /** Bytes of the hour so far. */
  readonly sentBefore?: number
  readonly features?: Readonly<Record<string, number>>
  readonly facts?: Partial<Work>
}

export const GROUP = { members: 0, novelty: new Float32Array(3) } as unknown as GroupStats
export const LARGE = { header: { thresholds: { alertTailLog10: 5 } }, fleet: 0.5, resolution: 12 }
export const NOBODY = { release: null, everyone: { destinations: { count: () => 0 } } } as never

export const sheetOf = (s: Sheet): Work => {
  const number = new Float64Array(NUMBER_FIELDS).fill(Number.NaN)
  if (s.bytesOut !== undefined) number[N.bytesOut] = s.bytesOut
  if (s.bytesIn !== undefined) number[N.bytesIn] = s.bytesIn
  const event = {
    kind: IDENTITY_KINDS.indexOf(s.kind ?? 'agent'),
    outcome: s.outcome ?? 0,
    number,
    provenance: 255,
    text: () => '',
    has: () => false,
  }
  const bytes = new ArrayBuffer(8192)
  const seg = {
    u8: new Uint8Array(bytes),
    u16: new Uint16Array(bytes),
    u32: new Uint32Array(bytes),
    f32: new Float32Array(bytes),
    f64: new Float64Array(bytes),
  }
  for (const metric of [W.bytesOutHour, W.bytesInHour]) seg.f32.set(s.hours ?? [0, 0], windowAt(0, metric) + 1)
  seg.f32[windowAt(0, W.bytesOutHour)] = s.sentBefore ?? 0
  const release = s.fleet === undefined ? null : { header: { thresholds: { alertTailLog10: 5 } }, fleet: s.fleet, resolution: 12 }
  const w = new Work({ event, hashes: { lo: [], hi: [] } } as never)
  Object.assign(w, { seg, base: 0, sessionIsNew: true, timeMs: 1e12, modelled: release !== null })
  w.tenant = { release, everyone: { destinations: { count: () => 1 } } } as never
  w.said = { resource: {} } as never
  w.tailLog10 = s.tail ?? 4
  w.maturity = s.maturity ?? 0.6
  for (const [name, value] of Object.entries(s.features ?? {})) {
    const i = FEATURES.findIndex((f) => f.name === name)
    if (i < 0) throw new Error(`there is no feature ${name}`)
    w.features[i] = value
  }
  return Object.assign(w, s.facts)
}

export const family = (s: Sheet): ReasonFamily | null => ruleOf(sheetOf(s), GROUP)

/** A sheet with some of it changed; features and facts one by one. */
export const but = (s: Sheet, change: Sheet): Sheet => ({
  ...s,
  ...change,
  features: { ...s.features, ...change.features },
  facts: { ...s.facts, ...change.facts },
})

/** Per rule what speaks, and changes that each keep it quiet. */
export type Limits = Readonly<Record<string, { readonly family: ReasonFamily; readonly speaks: Sheet; readonly quiet: readonly Sheet[] }>>

/** What of a rule's limits does not hold, in words; empty when all do. */
export const brokenLimits = ({ family: expected, speaks, quiet }: Limits[string]): string[] => [
  ...(family(speaks) === expected ? [] : [`tells ${family(speaks)}`]),
  ...quiet.filter((change) => family(but(speaks, change)) === expected).map((change) => `speaks with ${JSON.stringify(change)}`),
]
