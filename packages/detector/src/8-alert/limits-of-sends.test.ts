import assert from 'node:assert/strict'
import { test } from 'node:test'
import { family, type Limits, brokenLimits } from './limits.testkit.ts'

/** What leaves, at once or over days: `sends.ts`. */
const LIMITS: Limits = {
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
    quiet: [
      { tail: 2.4 },
      { sentBefore: 23e6 },
      { bytesOut: Number.NaN },
      { features: { hour_own: 3.4 } },
      { facts: { isExternal: false } },
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
  'more than its hours and days at night, to a place of nobody': {
    family: 'volume',
    speaks: {
      bytesOut: 1e6,
      sentBefore: 24e6,
      tail: 1.5,
      maturity: 0.25,
      features: { hour_own: 2.9, bytes_out_hour: 5, bytes_out_day: 4.5, destination_peer: 8.5, destination_global: 7 },
      facts: { isExternal: true },
    },
    quiet: [
      { tail: 1.4 },
      { maturity: 0.24 },
      { sentBefore: 23e6 },
      { facts: { isExternal: false } },
      { features: { hour_own: 2.8 } },
      { features: { bytes_out_hour: 4.9 } },
      { features: { bytes_out_day: 4.4 } },
      { features: { destination_peer: 8.4 } },
      { features: { destination_global: 6.9 } },
    ],
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

for (const [name, limits] of Object.entries(LIMITS)) test(`limits of the rule: ${name}`, () => assert.deepEqual(brokenLimits(limits), []))

test('an hour that is odder still is no excuse', () => {
  const features = {
    hour_own: 2.9,
    bytes_out_hour: 5,
    bytes_out_day: 4.5,
    destination_own: 2.5,
    destination_peer: 8.5,
    destination_global: 7,
  }
  const night = { bytesOut: 1e6, sentBefore: 24e6, tail: 1.5, maturity: 0.4, features, facts: { isExternal: true } }
  assert.equal(family(night), 'volume')
  assert.equal(family({ ...night, features: { ...features, hour_own: 3.5 } }), 'volume')
})
