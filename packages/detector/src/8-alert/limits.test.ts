import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ReasonFamily } from '@plumbline/schemas'
import { N, tokensOf } from '../record.ts'
import type { Work } from '../work.ts'
import { groupKey } from './groups.ts'
import { GROUP, LARGE, NOBODY, sheetOf, type Limits, brokenLimits } from './limits.testkit.ts'
import { ruleOf } from './rules.ts'

/** Flows, and hours that are none of its own: `rules.ts`, `hour-rules.ts`. */
const LIMITS: Limits = {
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
  'a journey of a half-known identity from a network of nobody': {
    family: 'travel',
    speaks: { tail: 0, maturity: 0.4, features: { source_own: 6, country_own: 4 }, facts: { travelKmh: 1000 } },
    quiet: [{ maturity: 0.39 }, { facts: { travelKmh: 999 } }, { features: { source_own: 5.9 } }, { features: { country_own: 3.9 } }],
  },
  'a journey of a little known identity, from further off': {
    family: 'travel',
    speaks: { tail: 0, maturity: 0.25, features: { source_own: 8, country_own: 6 }, facts: { travelKmh: 1000 } },
    quiet: [{ maturity: 0.24 }, { features: { source_own: 7.9 } }, { features: { country_own: 5.9 } }],
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
}

for (const [name, limits] of Object.entries(LIMITS)) test(`limits of the rule: ${name}`, () => assert.deepEqual(brokenLimits(limits), []))

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
