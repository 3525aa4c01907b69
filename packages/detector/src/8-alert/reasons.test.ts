import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FEATURE_INDEX, type ReasonFamily } from '@plumbline/schemas'
import { GROUP, type Sheet, sheetOf } from './limits.testkit.ts'
import { reasonsOf } from './reasons.ts'

/** The feature that the leading reason is told by, where these contributed, the heaviest first. */
const ledBy = (family: ReasonFamily, sheet: Sheet, heaviest: readonly string[]): string | undefined => {
  const w = sheetOf(sheet)
  heaviest.forEach((name, i) => (w.contributions[FEATURE_INDEX[name]!] = heaviest.length - i))
  return reasonsOf(w, family, GROUP, false)[0]?.feature
}

test('what leaves is told before what came in with the same act', () => {
  const night = { bytesOut: 1e6, bytesIn: 400, sentBefore: 24e6, features: { bytes_in_hour: 6, bytes_out_hour: 5 } }
  const heaviest = ['bytes_in_hour', 'bytes_out_hour']
  assert.equal(ledBy('volume', { ...night, facts: { isExternal: true } }, heaviest), 'bytes_out_hour')
  assert.equal(ledBy('volume', { ...night, facts: { isExternal: false } }, heaviest), 'bytes_in_hour')
  const usual = { ...night, features: { bytes_in_hour: 6, bytes_out_hour: 1 }, facts: { isExternal: true } }
  assert.equal(ledBy('volume', usual, heaviest), 'bytes_in_hour')
})

test('a place that a tool named is told as such, whatever else of the place weighs more', () => {
  const heaviest = ['external_day', 'destination_lured']
  assert.equal(ledBy('new_destination', { features: { destination_lured: 6 } }, heaviest), 'destination_lured')
  assert.equal(ledBy('new_destination', { features: { destination_lured: 3.9 } }, heaviest), 'external_day')
})
