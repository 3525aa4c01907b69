import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LEVEL, LEVEL_USUAL, profileAt, SLOT_BYTES } from './layout.ts'
import { foldLevel, levelNats } from './level.ts'
import { learnProfile, profileOf } from './profile.ts'
import type { Segment } from './slots.ts'

const segment = (): Segment => {
  const buffer = new ArrayBuffer(SLOT_BYTES)
  return {
    u8: new Uint8Array(buffer),
    u16: new Uint16Array(buffer),
    u32: new Uint32Array(buffer),
    f32: new Float32Array(buffer),
    f64: new Float64Array(buffer),
  }
}

/** Hours that lie so many spreads beside the expected; the nats that each one saw. */
const live = (seg: Segment, hours: readonly number[], before = 0): number[] =>
  hours.map((z, i) => {
    const nats = levelNats(seg, 0, z, before + i)
    foldLevel(seg, 0, z, before + i)
    return nats
  })

/** Independent normal hours, the same in every run. */
const normals = (n: number, seed = 1): number[] => {
  let state = seed
  const unit = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 4_294_967_296
  }
  return Array.from({ length: n }, () => Array.from({ length: 12 }, unit).reduce((a, b) => a + b) - 6)
}

test('sums of independent hours are as rare as their nats say, within a factor of three', () => {
  const nats = live(segment(), normals(100_000))
  for (const h of [2, 3, 4, 5, 6]) {
    const share = nats.filter((n) => n >= h).length / nats.length
    assert.ok(share < 3 * Math.exp(-h), `${h} nats in ${share} of hours`)
  }
})

test('a day of hours two spreads up is told, one wild hour is not, and whose hours come in rows is used to it', () => {
  const seg = segment()
  live(seg, normals(400))
  assert.ok(live(seg, [40, 0, 0], 400)[0]! < 5)
  assert.ok(Math.max(...live(seg, Array<number>(12).fill(2), 403)) >= 14)
  const rows = segment()
  const inRows = normals(200).flatMap((z) => [1.5 * z, 1.5 * z, 1.5 * z, 1.5 * z, 1.5 * z])
  live(rows, inRows)
  assert.ok(Math.max(...live(rows, Array<number>(5).fill(2), 1000)) < 6)
})

test('the sum is gone within a day of usual hours, and what an alert lay in does not make it usual', () => {
  const seg = segment()
  live(seg, normals(400))
  const usual = seg.u16[LEVEL_USUAL >> 1]!
  for (let i = 0; i < 24; i++) foldLevel(seg, 0, 3, 400 + i, true)
  assert.equal(seg.u16[LEVEL_USUAL >> 1], usual)
  for (let i = 0; i < 18; i++) foldLevel(seg, 0, 0, 424 + i)
  assert.equal(seg.u8[LEVEL], 0)
})

test('an hour that is like all others stays exactly so, one that is not is found, and nothing beside it is touched', () => {
  fc.assert(
    fc.property(fc.nat(23), fc.float({ min: Math.fround(-3.5), max: Math.fround(3.5), noNaN: true }), (hour, truth) => {
      const seg = segment()
      for (let day = 0; day < 40; day++) learnProfile(seg, 0, hour, truth - profileOf(seg, 0, hour))
      assert.ok(Math.abs(profileOf(seg, 0, hour) - truth) < 0.1)
      for (let h = 0; h < 24; h++) if (h !== hour) assert.equal(profileOf(seg, 0, h), 0)
      assert.ok(seg.u8.every((byte, i) => byte === 0 || i === profileAt(hour)))
      learnProfile(seg, 0, hour, 1000)
      assert.ok(profileOf(seg, 0, hour) < 4)
    }),
    { seed: 4 },
  )
})
