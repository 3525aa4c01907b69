import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type BlindSpot, blindSpotText } from './blind-spots.ts'

const spot = (more: Partial<BlindSpot>): BlindSpot => ({
  kind: 'volume_out',
  unit: 'bytes',
  alertsFrom: 40_960_001,
  upTo: 1_099_511_627_776,
  acts: 12,
  family: 'volume',
  usual: 2_000_000,
  skipped: null,
  ...more,
})

test('amounts are rounded up, so that what is said to alert does', () => {
  assert.equal(blindSpotText(spot({})), 'Sent to a place that it uses: would alert at ≥ 41 MB an hour (usually 2 MB); below that, blind.')
  assert.match(blindSpotText(spot({ alertsFrom: 999_001 })), /≥ 1 MB an hour/)
  assert.match(blindSpotText(spot({ alertsFrom: 1024 })), /≥ 1.03 kB an hour/)
  assert.match(blindSpotText(spot({ alertsFrom: 12_340_000_001 })), /≥ 12.4 GB an hour/)
})

test('blind, not tried, and at the first are each said as such', () => {
  const none = { alertsFrom: null, acts: null, family: null, usual: 0 } as const
  assert.equal(blindSpotText(spot(none)), 'Sent to a place that it uses: blind. Not even 1.1 TB an hour would alert.')
  assert.equal(
    blindSpotText(spot({ ...none, kind: 'denied', unit: 'acts', upTo: 4096, skipped: 'too_fast' })),
    'Acts refused: not tried, it does more in an hour than is tried.',
  )
  assert.equal(
    blindSpotText(spot({ kind: 'foreign_reads', unit: 'acts', alertsFrom: 1, usual: null })),
    'Reads of restricted data that it never touched: would alert at the first.',
  )
  assert.equal(
    blindSpotText(spot({ kind: 'rate', unit: 'acts', alertsFrom: 1234, usual: 99.6 })),
    'Acts of its usual kinds: would alert at ≥ 1,234 an hour (usually 100); below that, blind.',
  )
})
