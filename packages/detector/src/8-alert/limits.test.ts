import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FEATURE_COUNT, FEATURES, IDENTITY_KINDS, type ReasonFamily } from '@plumbline/schemas'
import { N, NUMBER_FIELDS, tokensOf } from '../record.ts'
import type { GroupStats } from '../state/groups.ts'
import { W } from '../state/layout.ts'
import { windowAt } from '../state/window-of.ts'
import { Work } from '../work.ts'
import { groupKey } from './groups.ts'
import { ruleOf } from './rules.ts'

/** A sheet on which no rule speaks, but for what it is given: limits of rules one by one, without a life behind them. */
interface Sheet {
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

const GROUP = { members: 0, novelty: new Float32Array(3) } as unknown as GroupStats
const LARGE = { header: { thresholds: { alertTailLog10: 5 } }, fleet: 0.5, resolution: 12 }
const NOBODY = { release: null, everyone: { destinations: { count: () => 0 } } } as never

const sheetOf = (s: Sheet): Work => {
  const number = new Float64Array(NUMBER_FIELDS).fill(Number.NaN)
  if (s.bytesOut !== undefined) number[N.bytesOut] = s.bytesOut
  if (s.bytesIn !== undefined) number[N.bytesIn] = s.bytesIn
  const event = { kind: IDENTITY_KINDS.indexOf(s.kind ?? 'agent'), outcome: s.outcome ?? 0, number, provenance: 255, text: () => '' }
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
  w.tailLog10 = s.tail ?? 4
  w.maturity = s.maturity ?? 0.6
  for (const [name, value] of Object.entries(s.features ?? {})) {
    const i = FEATURES.findIndex((f) => f.name === name)
    assert.ok(i >= 0 && i < FEATURE_COUNT, name)
    w.features[i] = value
  }
  return Object.assign(w, s.facts)
}

const family = (s: Sheet): ReasonFamily | null => ruleOf(sheetOf(s), GROUP)

/** A sheet with some of it changed; features and facts one by one. */
const but = (s: Sheet, change: Sheet): Sheet => ({
  ...s,
  ...change,
  features: { ...s.features, ...change.features },
  facts: { ...s.facts, ...change.facts },
})

/** Per rule what speaks, and changes that each keep it quiet. */
const LIMITS: Readonly<Record<string, { readonly family: ReasonFamily; readonly speaks: Sheet; readonly quiet: readonly Sheet[] }>> = {
  'a place that a tool named and nobody uses': {
    family: 'volume',
    speaks: { bytesOut: 25e6, tail: 1.5, maturity: 0.4, features: { destination_lured: 6, bytes_out_own: 2 }, facts: { isExternal: true } },
    quiet: [
      { bytesOut: 24e6 },
      { bytesOut: Number.NaN },
      { tail: 1.4 },
      { fleet: 1 },
      { maturity: 0.39 },
      { features: { destination_lured: 5.9 } },
      { features: { bytes_out_own: 1.9 } },
      { facts: { isExternal: false } },
    ],
  },
  'far beyond its own to a place that it does not know': {
    family: 'volume',
    speaks: { bytesOut: 25e6, tail: 1.5, maturity: 0.4, features: { destination_own: 8, bytes_out_own: 8 }, facts: { isExternal: true } },
    quiet: [{ features: { destination_own: 7.9 } }, { features: { bytes_out_own: 7.9 } }, { tail: 1.4 }],
  },
  'large, to a place that it hardly uses': {
    family: 'volume',
    speaks: { bytesOut: 25e6, tail: 2.6, features: { destination_own: 5, bytes_out_own: 6 }, facts: { isExternal: true } },
    quiet: [{ tail: 2.5 }, { maturity: 0.54 }, { features: { destination_own: 4.9 } }, { features: { bytes_out_own: 5.9 } }],
  },
  'much at night': {
    family: 'volume',
    speaks: {
      bytesOut: 1e6,
      sentBefore: 24e6,
      tail: 2.5,
      maturity: 0.4,
      features: { hour_own: 3.5, bytes_out_hour: 3, destination_own: 2.5 },
      facts: { isExternal: true },
    },
    quiet: [{ tail: 2.4 }, { sentBefore: 23e6 }, { features: { hour_own: 3.4 } }, { facts: { isExternal: false } }],
  },
  'another client with acts that are not its own': {
    family: 'source',
    speaks: { tail: 2.5, features: { user_agent_own: 5, action_own: 8 } },
    quiet: [
      { tail: 2.4 },
      { maturity: 0.54 },
      { features: { user_agent_own: 4.9 } },
      { features: { action_own: 7.9 } },
      { features: { version_changed: 1 } },
    ],
  },
  'a session that is another role’s': {
    family: 'new_behaviour',
    speaks: { tail: 3.5, features: { role_swap: 8, action_own: 8, session_firsts: 8 } },
    quiet: [
      { tail: 3.4 },
      { features: { role_swap: 7.9 } },
      { features: { action_own: 7.9 } },
      { features: { session_firsts: 7 } },
      { features: { version_changed: 1 } },
    ],
  },
  'acts of no peer and not its own, among many firsts': {
    family: 'new_behaviour',
    speaks: {
      tail: 2.6,
      maturity: 0.4,
      features: { session_firsts: 8, action_own: 9, class_own: 9, action_peer: 8, class_peer: 8 },
    },
    quiet: [
      { tail: 2.5 },
      { fleet: 1 },
      { maturity: 0.39 },
      { features: { session_firsts: 7 } },
      { features: { action_own: 8.9 } },
      { features: { class_own: 8.9 } },
      { features: { action_peer: 7.9 } },
      { features: { class_peer: 7.9 } },
      { features: { version_changed: 1 } },
    ],
  },
  'the same right after a change of version': {
    family: 'new_behaviour',
    speaks: {
      tail: 2.6,
      maturity: 0.4,
      features: { version_changed: 1, session_firsts: 12, action_own: 9, class_own: 9, action_peer: 8, class_peer: 8 },
    },
    quiet: [{ features: { session_firsts: 11 } }],
  },
  'the same of a person in a large company': {
    family: 'new_behaviour',
    speaks: {
      kind: 'user',
      tail: 3.3,
      fleet: 0.7,
      maturity: 0.4,
      features: { session_firsts: 12, action_own: 9, class_own: 9, action_peer: 8, class_peer: 8 },
    },
    quiet: [{ features: { session_firsts: 11 } }, { tail: 3.2 }],
  },
  'acts of hardly any peer among very many firsts': {
    family: 'new_behaviour',
    speaks: { tail: 2.6, maturity: 0.4, features: { session_firsts: 12, action_own: 5, action_peer: 10, class_peer: 10 } },
    quiet: [
      { tail: 2.5 },
      { features: { session_firsts: 11 } },
      { features: { action_own: 4.9 } },
      { features: { action_peer: 9.9 } },
      { features: { class_peer: 9.9 } },
    ],
  },
  'restricted data by acts of another role': {
    family: 'sensitive_access',
    speaks: {
      tail: 2.2,
      maturity: 0.4,
      features: { role_swap: 15, action_own: 7, class_own: 7, class_peer: 8, sensitive_first: 4 },
      facts: { sensitivity: 3 },
    },
    quiet: [
      { tail: 2.1 },
      { maturity: 0.39 },
      { outcome: 1 },
      { facts: { sensitivity: 2 } },
      { features: { role_swap: 14.9 } },
      { features: { action_own: 6.9 } },
      { features: { class_own: 6.9 } },
      { features: { class_peer: 7.9 } },
      { features: { sensitive_first: 3.9 } },
      { features: { version_changed: 1 } },
    ],
  },
  'any amount to a place that a tool named, with arguments not its own': {
    family: 'new_destination',
    speaks: {
      bytesOut: 1_000,
      tail: 1.5,
      maturity: 0.4,
      features: { destination_lured: 6, destination_own: 8, destination_peer: 8, bytes_out_own: 3, arguments_own: 3 },
      facts: { isExternal: true },
    },
    quiet: [
      { tail: 1.4 },
      { maturity: 0.39 },
      { facts: { isExternal: false } },
      { features: { destination_lured: 5.9 } },
      { features: { destination_own: 7.9 } },
      { features: { destination_peer: 7.9 } },
      { features: { bytes_out_own: 2.9 } },
      { features: { arguments_own: 2.9 } },
    ],
  },
  'gathered and sent at night to a place of nobody': {
    family: 'volume',
    speaks: {
      bytesOut: 1e6,
      sentBefore: 24e6,
      tail: 1.5,
      maturity: 0.25,
      features: { hour_own: 2.9, bytes_out_hour: 5, bytes_in_hour: 6, destination_peer: 8.5, destination_global: 7 },
      facts: { isExternal: true },
    },
    quiet: [
      { tail: 1.4 },
      { maturity: 0.24 },
      { sentBefore: 23e6 },
      { facts: { isExternal: false } },
      { features: { hour_own: 2.8 } },
      { features: { bytes_out_hour: 4.9 } },
      { features: { bytes_in_hour: 5.9 } },
      { features: { destination_peer: 8.4 } },
      { features: { destination_global: 6.9 } },
    ],
  },
  'a flow from outside text to a place that nobody knows': {
    family: 'toxic_flow',
    speaks: { tail: 2.9, features: { session_flow: 3 }, facts: { newDestination: true, tenant: NOBODY } },
    quiet: [{ tail: 2.8 }, { maturity: 0.54 }, { outcome: 2 }, { facts: { newDestination: false } }, { features: { session_flow: 2 } }],
  },
  'such a flow in a large company': {
    family: 'toxic_flow',
    speaks: {
      tail: 3.9,
      features: { session_flow: 3 },
      facts: { newDestination: true, tenant: { release: LARGE, everyone: { destinations: { count: () => 0 } } } as never },
    },
    quiet: [{ tail: 3.8 }],
  },
  'such a flow of a person': {
    family: 'toxic_flow',
    speaks: { kind: 'user', tail: 4, features: { session_flow: 3 }, facts: { newDestination: true, tenant: NOBODY } },
    quiet: [{ tail: 3.9 }],
  },
  refusals: {
    family: 'probing',
    speaks: { outcome: 2, tail: 1.5, features: { denied_hour: 5, sensitive_hour: 20 }, facts: { sensitivity: 3 } },
    quiet: [{ features: { denied_hour: 4.9 } }, { tail: 1.4 }, { maturity: 0.54 }, { fleet: 0.1, tail: 4 }],
  },
  'sensitive reads': {
    family: 'sensitive_access',
    speaks: { tail: 1.5, features: { sensitive_hour: 9, rate_hour: 3 }, facts: { sensitivity: 2 } },
    quiet: [{ features: { sensitive_hour: 5.9, rate_hour: 0 } }, { features: { rate_hour: 5.9, sensitive_hour: 8.8 } }, { outcome: 2 }],
  },
  'restricted reads of a class that it hardly touches': {
    family: 'sensitive_access',
    speaks: { tail: 1.5, features: { sensitive_hour: 4, class_own: 4 }, facts: { sensitivity: 3 } },
    quiet: [
      { features: { sensitive_hour: 3.9 } },
      { features: { class_own: 3.9 } },
      { facts: { sensitivity: 2 } },
      { fleet: 0.5 },
      { outcome: 2 },
    ],
  },
  'different resources': {
    family: 'enumeration',
    speaks: { tail: 1.5, features: { enumeration_hour: 9, rate_hour: 3 } },
    quiet: [
      { features: { enumeration_hour: 5.9, rate_hour: 0 } },
      { features: { enumeration_hour: 8.8, rate_hour: 5.9 } },
      { maturity: 0.5 },
    ],
  },
  pace: {
    family: 'rate',
    speaks: { tail: 1.5, features: { rate_minute: 6 } },
    quiet: [{ features: { rate_minute: 5.9 } }, { tail: 1.4 }, { maturity: 0.54 }],
  },
  'pace and bytes together': {
    family: 'rate',
    speaks: { kind: 'service', tail: 1.5, hours: [8, 0.5], features: { rate_hour: 4, bytes_out_hour: 8 } },
    quiet: [{ features: { rate_hour: 3.9 } }, { features: { bytes_out_hour: 7.9 } }, { hours: [8, 1.1] }, { kind: 'user' }],
  },
  'bytes read in the hour': {
    family: 'volume',
    speaks: { tail: 1.5, bytesIn: 25e6, features: { bytes_in_hour: 8 } },
    quiet: [{ bytesIn: 24e6 }, { features: { bytes_in_hour: 7.9 } }, { tail: 1.4 }, { fleet: 0.1, tail: 4 }],
  },
  'bytes sent in the hour, in pieces': {
    family: 'volume',
    speaks: { tail: 1.5, bytesOut: 1e6, sentBefore: 98e6, features: { bytes_out_hour: 8 } },
    quiet: [{ sentBefore: 101e6 }, { bytesOut: Number.NaN }],
  },
  'any amount, where its hours exclude it': {
    family: 'volume',
    speaks: { tail: 1.5, bytesOut: 9000, hours: [8, 1], features: { bytes_out_hour: 15 } },
    quiet: [{ features: { bytes_out_hour: 14.9 } }, { hours: [8, 1.1] }, { hours: [1.9, 1] }, { kind: 'user' }, { facts: { delegate: 7 } }],
  },
  'growth in large sends, odd in act and place': {
    family: 'drift',
    speaks: { tail: 2.2, features: { bytes_out_own: 4.5, destination_own: 3, action_own: 3 }, facts: { rampNats: 4 } },
    quiet: [
      { tail: 2.1 },
      { facts: { rampNats: 3.9 } },
      { features: { bytes_out_own: 4.4 } },
      { features: { destination_own: 2.9 } },
      { features: { action_own: 2.9 } },
    ],
  },
  'a large send on a day of much': {
    family: 'volume',
    speaks: { tail: 1.5, bytesOut: 25e6, features: { bytes_out_own: 6, drift_bytes: 5 } },
    quiet: [
      { bytesOut: 24e6 },
      { bytesOut: Number.NaN },
      { tail: 1.4 },
      { maturity: 0.54 },
      { features: { bytes_out_own: 5.9 } },
      { features: { drift_bytes: 4.9 } },
    ],
  },
  'growth in large sends': {
    family: 'drift',
    speaks: { tail: 1.5, facts: { rampNats: 9 } },
    quiet: [{ tail: 1.4 }, { facts: { rampNats: 8.9 } }],
  },
  'a shift of the level, also of what acts for somebody': {
    family: 'drift',
    speaks: { tail: 1.5, hours: [8, 4], facts: { shiftNats: 10, delegate: 7 } },
    quiet: [{ facts: { shiftNats: 9.9 } }, { kind: 'user' }, { hours: [3.9, 4] }],
  },
}

for (const [name, { family: expected, speaks, quiet }] of Object.entries(LIMITS))
  test(`limits of the rule: ${name}`, () => {
    assert.equal(family(speaks), expected)
    for (const change of quiet) assert.notEqual(family(but(speaks, change)), expected, JSON.stringify(change))
  })

test('where nobody wants to hear of one family the word passes on', () => {
  const w = sheetOf({
    bytesOut: 9e9,
    features: { rate_hour: 9, user_agent_own: 9, action_own: 9, bytes_out_hour: 20 },
  })
  assert.equal(ruleOf(w, GROUP), 'source')
  assert.equal(
    ruleOf(w, GROUP, (_, f) => f === 'source'),
    'rate',
  )
  assert.equal(
    ruleOf(w, GROUP, (_, f) => f !== 'volume'),
    'volume',
  )
  assert.equal(
    ruleOf(w, GROUP, () => true),
    'source',
    'quiet as the first of them',
  )
})

test('pace and growth are one piece of news a day; what is new, or leaves, is news of its own', () => {
  const HOUR = 3_600_000
  const keyOf = (who: ReasonFamily, session: number, facts: Partial<Work> = {}, timeMs = 20_000 * 24 * HOUR) =>
    groupKey(sheetOf({ facts: { session, timeMs, ...facts } }), who, HOUR)
  for (const who of ['rate', 'drift'] as const) {
    assert.equal(keyOf(who, 1), keyOf(who, 2))
    assert.notEqual(keyOf(who, 1), keyOf(who, 1, {}, 20_001 * 24 * HOUR), 'the day after')
    for (const own of [{ newAction: true }, { newClass: true }, { newDestination: true }, { isExternal: true }])
      assert.notEqual(keyOf(who, 1), keyOf(who, 1, own), JSON.stringify(own))
  }
  const foreign = { foreign: true, sensitivity: 1 }
  assert.equal(keyOf('new_behaviour', 1, foreign), keyOf('new_behaviour', 2, foreign))
  for (const own of [{ sensitivity: 2 }, { isExternal: true }, { foreign: false }])
    assert.notEqual(keyOf('new_behaviour', 1, foreign), keyOf('new_behaviour', 1, { ...foreign, ...own }), JSON.stringify(own))
  assert.notEqual(keyOf('volume', 1), keyOf('volume', 2))
})

test('tokens of a call are those that were written, or far more that were read', () => {
  const tokens = (read: number, written: number): number => {
    const w = sheetOf({})
    w.event.number[N.tokensIn] = read
    w.event.number[N.tokensOut] = written
    return tokensOf(w.event)
  }
  assert.equal(tokens(4000, 380), 380)
  assert.equal(tokens(4000, 10), 200)
  assert.equal(tokens(2_000_000, 1), 100_000)
  assert.equal(tokens(2_000_000, Number.NaN), 100_000)
  assert.equal(tokens(Number.NaN, 380), 380)
  assert.equal(tokens(Number.NaN, Number.NaN), 0)
})
