import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Segment } from './slots.ts'
import { add, countOf, fade } from './tables.ts'

const SETS = 4
const segment = (): Segment => {
  const buffer = new ArrayBuffer(SETS * 64 + 128)
  return {
    u8: new Uint8Array(buffer),
    u16: new Uint16Array(buffer),
    u32: new Uint32Array(buffer),
    f32: new Float32Array(buffer),
    f64: new Float64Array(buffer),
  }
}
const TABLE = 64

interface Entry {
  readonly fp: number
  count: number
}

/** The same table as lists: eight places a set, in order of arrival; the rarest, and of equals the first, gives way in place. */
class Model {
  readonly sets: Entry[][] = Array.from({ length: SETS }, () => [])
  /** The entry that gave way, 0 where there was room, -1 where the name was known. */
  add(fp: number, hi: number, weight: number): number {
    const set = this.sets[hi & (SETS - 1)]!
    const known = set.find((e) => e.fp === fp)
    if (known !== undefined) {
      known.count = Math.fround(known.count + weight)
      return -1
    }
    const entry = { fp, count: Math.fround(weight) }
    if (set.length < 8) {
      set.push(entry)
      return 0
    }
    const least = set.reduce((a, b) => (b.count < a.count ? b : a))
    set[set.indexOf(least)] = entry
    return least.fp
  }
  fade(factor: number, floor: number): void {
    for (const [i, set] of this.sets.entries()) {
      this.sets[i] = set.flatMap((e) => (e.count * factor < floor ? [] : [{ fp: e.fp, count: Math.fround(e.count * factor) }]))
    }
  }
}

test('tables count, give way and fade as lists would', () => {
  const name = fc
    .record({ fp: fc.integer({ min: 1, max: 40 }), hi: fc.constant(0) })
    .map(({ fp }) => ({ fp, hi: Math.imul(fp, 0x9e3779b1) >>> 0 }))
  const step = fc.oneof(
    { weight: 20, arbitrary: fc.record({ is: fc.constant('add' as const), name, weight: fc.constantFrom(1, 1, 1, 0.3, 0.01, 7) }) },
    { weight: 1, arbitrary: fc.record({ is: fc.constant('fade' as const), name, weight: fc.constantFrom(0.5, 0.125) }) },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 500, size: 'max' }), (steps) => {
      const seg = segment()
      seg.u8.fill(0xaa, 0, TABLE)
      seg.u8.fill(0xaa, TABLE + SETS * 64)
      const model = new Model()
      for (const { is, name: n, weight } of steps) {
        if (is === 'add') assert.equal(add(seg, TABLE, SETS, n.fp, n.hi, weight), model.add(n.fp, n.hi, weight))
        else {
          fade(seg, TABLE, SETS, weight, 0.05)
          model.fade(weight, 0.05)
        }
      }
      for (let fp = 1; fp <= 40; fp++) {
        const hi = Math.imul(fp, 0x9e3779b1) >>> 0
        assert.equal(countOf(seg, TABLE, SETS, fp, hi), model.sets[hi & (SETS - 1)]!.find((e) => e.fp === fp)?.count ?? 0)
      }
      for (let i = 0; i < TABLE; i++) assert.equal(seg.u8[i], 0xaa)
      for (let i = TABLE + SETS * 64; i < seg.u8.length; i++) assert.equal(seg.u8[i], 0xaa)
    }),
    { seed: 3, numRuns: 200 },
  )
})

test('in a full set a newcomer takes no place from what is more frequent, until it has kept coming', () => {
  const seg = segment()
  for (let fp = 1; fp <= 8; fp++) add(seg, TABLE, SETS, fp, 0, 3)
  assert.equal(add(seg, TABLE, SETS, 9, 0, 1, 0), 9, 'it has no place')
  assert.equal(countOf(seg, TABLE, SETS, 9, 0), 0)
  let tries = 1
  while (add(seg, TABLE, SETS, 9, 0, 1, 1) === 9) tries++
  assert.ok(tries > 2 && tries <= 6, `${tries}`)
  assert.equal(countOf(seg, TABLE, SETS, 9, 0), 2, 'with what was known of it')
  const kept = [1, 2, 3, 4, 5, 6, 7, 8].filter((fp) => countOf(seg, TABLE, SETS, fp, 0) >= 2)
  assert.equal(kept.length, 7)
})
