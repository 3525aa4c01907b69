import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { SlotSource } from '../ports.ts'
import { H } from './layout.ts'
import { Slots } from './slots.ts'

/** Slots of all shards in memory, as a store would hold them. */
class Store implements SlotSource {
  readonly kept = new Map<string, Uint8Array>()
  fail = false
  static name = (shard: number, key: Uint8Array): string => `${shard}:${Buffer.from(key).toString('hex')}`
  load(shard: number, key: Uint8Array, into: Uint8Array): number {
    if (this.fail) throw new Error('store away')
    const bytes = this.kept.get(Store.name(shard, key))
    if (bytes === undefined) return -1
    into.set(bytes)
    return bytes.length
  }
  keep(slots: Slots, shard: number, dirty: number[]): void {
    for (const slot of dirty) this.kept.set(Store.name(shard, slots.keyOf(slot)), slots.pack(slot))
    slots.settle(dirty)
    dirty.length = 0
  }
}

const count = (slots: Slots, slot: number): number => slots.segment(slot).f32[(slots.base(slot) + H.seen) >> 2]!
const bump = (slots: Slots, slot: number): void => {
  slots.segment(slot).f32[(slots.base(slot) + H.seen) >> 2]! += 1
}

/** Keys that share their home places, so that runs of open addressing are long, wrap round and are broken up. */
const keyLo = (n: number): number => (n % 7 === 0 ? 1023 - (n % 3) : 1020 + (n % 5)) + Math.imul(n, 2048)
const keyHi = (n: number): number => (Math.imul(n, 0x9e3779b1) & ~1023) >>> 0

test('INV-6 slots behave as a map, whatever is touched, settled, evicted and forgotten', () => {
  const command = fc.oneof(
    { weight: 12, arbitrary: fc.record({ is: fc.constant('touch' as const), shard: fc.nat(2), n: fc.nat(220) }) },
    { weight: 3, arbitrary: fc.record({ is: fc.constant('commit' as const), shard: fc.nat(2), n: fc.constant(0) }) },
    { weight: 1, arbitrary: fc.record({ is: fc.constant('forget' as const), shard: fc.nat(2), n: fc.constant(0) }) },
    { weight: 1, arbitrary: fc.record({ is: fc.constant('fail' as const), shard: fc.nat(2), n: fc.nat(220) }) },
  )
  fc.assert(
    fc.property(fc.array(command, { minLength: 200, maxLength: 700, size: 'max' }), (commands) => {
      const store = new Store()
      const slots = new Slots(64, store)
      const dirty: number[][] = [[], [], []]
      const settled = new Map<string, number>()
      const open = new Map<string, number>()
      for (const { is, shard, n } of commands) {
        const name = `${shard}:${n}`
        const lo = keyLo(n) >>> 0
        const hi = keyHi(n)
        if (is === 'touch') {
          const slot = slots.touch(shard, lo, hi, dirty[shard]!)
          assert.equal(count(slots, slot), open.get(name) ?? settled.get(name) ?? 0, name)
          bump(slots, slot)
          open.set(name, count(slots, slot))
        } else if (is === 'commit') {
          store.keep(slots, shard, dirty[shard]!)
          for (const [key, value] of open) if (key.startsWith(`${shard}:`)) settled.set(key, value)
          for (const key of open.keys()) if (key.startsWith(`${shard}:`)) open.delete(key)
        } else if (is === 'forget') {
          slots.forget(shard)
          dirty[shard] = []
          for (const key of open.keys()) if (key.startsWith(`${shard}:`)) open.delete(key)
        } else if (slots.peek(lo, hi, shard) < 0) {
          store.fail = true
          assert.throws(() => slots.touch(shard, lo, hi, dirty[shard]!), /store away/)
          store.fail = false
        }
      }
      for (let shard = 0; shard < 3; shard++) {
        for (let n = 0; n <= 220; n++) {
          const slot = slots.peek(keyLo(n) >>> 0, keyHi(n), shard)
          if (slot >= 0) assert.equal(count(slots, slot), open.get(`${shard}:${n}`) ?? settled.get(`${shard}:${n}`))
          else assert.ok(!open.has(`${shard}:${n}`), 'what was touched since the commit is never thrown out')
        }
      }
    }),
    { seed: 6, numRuns: 60 },
  )
})

test('INV-6 the cap holds again once a chunk that touched more identities than it is settled', () => {
  const store = new Store()
  const slots = new Slots(64, store)
  const dirty: number[] = []
  for (let n = 0; n < 9000; n++) bump(slots, slots.touch(0, n, n * 3, dirty))
  assert.equal(slots.resident, 9000)
  store.keep(slots, 0, dirty)
  assert.ok(slots.resident <= 64, `${slots.resident} resident`)
  for (let n = 0; n < 9000; n++) {
    assert.equal(count(slots, slots.touch(0, n, n * 3, dirty)), 1)
    store.keep(slots, 0, dirty)
    assert.ok(slots.resident <= 64)
  }
  assert.ok(slots.evictions > 8000 && slots.loads > 8000)
})

test('INV-6 a slot that cannot be read leaves nothing behind that an eviction could stumble over', () => {
  const store = new Store()
  const slots = new Slots(64, store)
  const dirty: number[] = []
  slots.touch(0, 5, 5, dirty)
  store.keep(slots, 0, dirty)
  slots.forget(0)
  for (const bytes of store.kept.values()) bytes[4]! ^= 1
  assert.throws(() => slots.touch(0, 5, 5, dirty), { code: 'STATE_DAMAGED' })
  assert.deepEqual(dirty, [])
  for (let n = 10; n < 500; n++) {
    slots.touch(0, n, n, dirty)
    store.keep(slots, 0, dirty)
  }
  assert.ok(slots.resident <= 64)
})

test('INV-1 the same key in two shards is two identities, wherever they are held', () => {
  const slots = new Slots(64, new Store())
  const first: number[] = []
  const second: number[] = []
  bump(slots, slots.touch(0, 7, 8, first))
  assert.equal(count(slots, slots.touch(1, 7, 8, second)), 0)
  assert.equal(second.length, 1)
  slots.forget(0)
  assert.ok(slots.peek(7, 8, 0) < 0 && slots.peek(7, 8, 1) >= 0)
})
