import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { A, H, HG, HISTOGRAM_TOTALS, SLOT_BYTES } from './layout.ts'
import { foldRamp, isLargeSend, markLargeSend, rampNats } from './ramp.ts'
import type { Segment } from './slots.ts'

/** Days of so many large sends, an hour apart; returns the sum that the last one of each day saw. */
const live = (days: readonly number[]): { readonly nats: number[]; readonly f32: Float32Array } => {
  const buffer = new ArrayBuffer(64)
  const u32 = new Uint32Array(buffer)
  const f32 = new Float32Array(buffer)
  const nats = days.map((sends) => {
    let last = 0
    for (let h = 0; h < sends; h++) {
      last = rampNats(u32, f32, 0, h * 3_600_000)
      markLargeSend(u32, 0, h * 3_600_000)
    }
    foldRamp(u32, f32, 0)
    f32[A.days >> 2]! += 1
    return last
  })
  return { nats, f32 }
}
const quiet = (n: number): number[] => Array.from({ length: n }, (_, i) => (i % 4 === 0 ? 1 : 0))

test('a few large sends a day, day after day, add up within five days', () => {
  const { nats } = live([...quiet(10), 3, 3, 3, 3, 3])
  assert.ok(nats[10]! < 3 && nats[14]! >= 8, nats.join(' '))
})

test('a large send in many pieces is one', () => {
  const u32 = new Uint32Array(16)
  const f32 = new Float32Array(u32.buffer)
  f32[A.days >> 2] = 10
  for (let i = 0; i < 40; i++) markLargeSend(u32, 0, 3_600_000 + i * 10_000)
  assert.ok(rampNats(u32, f32, 0, 3_600_000 + 400_000) < 1)
})

test('one day of large sends does not, and quiet days take it back', () => {
  const { nats } = live([...quiet(10), 24, ...quiet(10), 3])
  assert.ok(Math.max(...nats) < 4, nats.join(' '))
})

test('who always sends large things is used to it, and who began to is in the end', () => {
  assert.ok(Math.max(...live(Array<number>(60).fill(3)).nats) < 4)
  const { nats } = live([...quiet(10), ...Array<number>(60).fill(3)])
  assert.ok(Math.max(...nats) >= 8 && Math.max(...nats.slice(-30)) < 8, nats.join(' '))
})

test('what was not told yet is no more than one a day to be usual, so that slow growth is told in the end', () => {
  const { nats, f32 } = live([...quiet(20), ...Array<number>(16).fill(2)])
  assert.ok(nats.at(-1)! >= 6.5 && nats.at(-1)! > nats.at(-2)!, nats.slice(20).join(' '))
  assert.ok(f32[A.largeUsual >> 2]! <= 1)
})

test('nobody is told of growth before their fifth day, and no day counts for more than four', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 24 }), { minLength: 1, maxLength: 40 }), (days) => {
      const { nats, f32 } = live(days)
      for (const [i, n] of nats.entries()) assert.ok(n >= 0 && n <= Math.max(0, 4 * (i - 3)) && n <= 18)
      assert.ok(f32[A.largeUsual >> 2]! >= 0 && f32[A.largeUsual >> 2]! <= 4)
    }),
    { seed: 5 },
  )
})

test('what is large to send is what a day hardly ever has, and a place hardly used makes it larger', () => {
  const sending = (perDay: number): Segment => {
    const f32 = new Float32Array(SLOT_BYTES / 4)
    f32[H.activeDays >> 2] = 19
    f32[(HISTOGRAM_TOTALS >> 2) + HG.bytesOut] = 20 * perDay
    return { f32 } as Segment
  }
  assert.deepEqual(
    [0.5, 10, 100, 1000].map((perDay) => [4.3, 5, 5.6, 7].map((nats) => isLargeSend(sending(perDay), 0, nats, 0))),
    [
      [true, true, true, true],
      [true, true, true, true],
      [false, false, true, true],
      [false, false, false, true],
    ],
  )
  assert.ok(isLargeSend(sending(100), 0, 4.3, 5) && !isLargeSend(sending(100), 0, 4.3, 2))
  assert.ok(!isLargeSend(sending(1), 0, 3.9, 12), 'a place alone does not make it large')
})
