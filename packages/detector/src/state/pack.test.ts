import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HG, HISTOGRAM_BUCKETS, HISTOGRAMS, profileAt, SLOT_BYTES, SLOT_VERSION, TOKEN_BUCKETS } from './layout.ts'
import { packSlot, SLOT_MIGRATIONS, unpackSlot } from './pack.ts'
import type { Segment } from './slots.ts'

const segment = (slots: number): Segment => {
  const buffer = new ArrayBuffer(slots * SLOT_BYTES)
  return {
    u8: new Uint8Array(buffer),
    u16: new Uint16Array(buffer),
    u32: new Uint32Array(buffer),
    f32: new Float32Array(buffer),
    f64: new Float64Array(buffer),
  }
}

/** Slots as they are: mostly empty lines, some full ones, always with a version byte. */
const words = fc.array(fc.record({ at: fc.nat(SLOT_BYTES / 4 - 1), value: fc.integer({ min: 0, max: 0xffffffff }) }), {
  maxLength: 400,
  size: 'max',
})
const fill = (seg: Segment, base: number, from: readonly { readonly at: number; readonly value: number }[]): Uint8Array => {
  for (const { at, value } of from) seg.u32[(base >> 2) + at] = value
  seg.u8[base] = SLOT_VERSION
  return seg.u8.slice(base, base + SLOT_BYTES)
}

test('INV-6 what is unpacked is what was packed, byte for byte, and nothing beside it is touched', () => {
  fc.assert(
    fc.property(words, fc.nat(2), fc.nat(2), (from, source, target) => {
      const a = segment(3)
      const before = fill(a, source * SLOT_BYTES, from)
      const packed = packSlot(a, source * SLOT_BYTES)
      assert.ok(packed.length <= 16 + 64 * 68)
      const b = segment(3)
      b.u8.fill(0xee)
      unpackSlot(packed, b, target * SLOT_BYTES)
      assert.deepEqual(b.u8.slice(target * SLOT_BYTES, (target + 1) * SLOT_BYTES), before)
      for (const [i, byte] of b.u8.entries()) if (Math.floor(i / SLOT_BYTES) !== target && byte !== 0xee) assert.fail(`byte ${i} changed`)
      assert.deepEqual(packSlot(b, target * SLOT_BYTES), packed, 'packing is a function of the slot alone')
    }),
    { seed: 1, numRuns: 60 },
  )
})

test('INV-6 every single flipped bit and every cut of a stored slot is refused', () => {
  const seg = segment(1)
  fill(
    seg,
    0,
    Array.from({ length: 160 }, (_, i) => ({ at: (i * 37) % 1024, value: Math.imul(i + 1, 0x9e3779b1) >>> 0 })),
  )
  const packed = packSlot(seg, 0)
  const into = segment(1)
  const codes = new Set<string>()
  for (let bit = 0; bit < packed.length * 8; bit++) {
    const bad = packed.slice()
    bad[bit >> 3]! ^= 1 << (bit & 7)
    assert.throws(
      () => unpackSlot(bad, into, 0),
      (error: { code: string }) => {
        codes.add(error.code)
        return error.code === (bit < 32 ? 'STATE_VERSION' : 'STATE_DAMAGED')
      },
      `bit ${bit}`,
    )
  }
  assert.deepEqual([...codes].sort(), ['STATE_DAMAGED', 'STATE_VERSION'])
  for (let length = 0; length < packed.length; length++)
    assert.throws(() => unpackSlot(packed.subarray(0, length), into, 0), { code: 'STATE_DAMAGED' })
  assert.throws(() => unpackSlot(Buffer.concat([packed, Buffer.alloc(4)]), into, 0), { code: 'STATE_DAMAGED' })
})

test('random bytes in place of a slot are refused, never read', () => {
  const into = segment(1)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), fc.boolean(), (bytes, versioned) => {
      const candidate = bytes.slice()
      if (versioned && candidate.length >= 4) candidate.set([SLOT_VERSION, 0, 0, 0])
      assert.throws(() => unpackSlot(candidate, into, 0), /baseline/)
    }),
    { seed: 2, numRuns: 300 },
  )
})

test('a slot of an earlier version is migrated when it is read, one version after the other; without a way it is refused', (t) => {
  const seg = segment(1)
  fill(seg, 0, [{ at: 100, value: 7 }])
  /** As a build of that version would have stored it. */
  const ofVersion = (version: number): Uint8Array => {
    seg.u8[0] = version
    const bytes = packSlot(seg, 0)
    new DataView(bytes.buffer).setUint32(0, version, true)
    return bytes
  }
  // There never was a version 0: nothing but this test knows the way from it.
  const earlier = ofVersion(0)
  const into = segment(2)
  assert.throws(() => unpackSlot(earlier, into, 0), { code: 'STATE_VERSION' })
  assert.throws(() => unpackSlot(ofVersion(SLOT_VERSION + 1), into, 0), { code: 'STATE_VERSION' })
  t.after(() => SLOT_MIGRATIONS.delete(0))
  SLOT_MIGRATIONS.set(0, ({ u32 }, base) => {
    u32[(base >> 2) + 100]! += 1
  })
  unpackSlot(earlier, into, SLOT_BYTES)
  assert.deepEqual([into.u32[1024 + 100], into.u8[SLOT_BYTES]], [8, SLOT_VERSION])
  const damaged = earlier.slice()
  damaged[20]! ^= 1
  assert.throws(() => unpackSlot(damaged, into, 0), { code: 'STATE_DAMAGED' })
})

test('C5 a slot of version 1 is one whose hours of the day are not known yet; its largest counts of tokens join the last there is', () => {
  const seg = segment(1)
  const tokens = (HISTOGRAMS + HG.tokens * HISTOGRAM_BUCKETS * 2) >> 1
  seg.u16.fill(3, tokens + TOKEN_BUCKETS - 1, tokens + HISTOGRAM_BUCKETS)
  seg.u16[tokens + HISTOGRAM_BUCKETS] = 5
  seg.u8[0] = 1
  const bytes = packSlot(seg, 0)
  new DataView(bytes.buffer).setUint32(0, 1, true)
  const into = segment(1)
  unpackSlot(bytes, into, 0)
  assert.deepEqual([into.u16[tokens + TOKEN_BUCKETS - 1], into.u16[tokens + HISTOGRAM_BUCKETS]], [27, 5])
  for (let hour = 0; hour < 24; hour++) assert.equal(into.u8[profileAt(hour)], 0)
})
