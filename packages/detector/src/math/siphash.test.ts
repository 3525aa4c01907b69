import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { deriveKey, SipHash } from './siphash.ts'

const MASK = (1n << 64n) - 1n
const rotate = (x: bigint, bits: bigint) => ((x << bits) | (x >> (64n - bits))) & MASK
const word = (bytes: Uint8Array, at: number, n: number) => {
  let w = 0n
  for (let i = 0; i < n; i++) w |= BigInt(bytes[at + i] ?? 0) << BigInt(8 * i)
  return w
}

/** The paper's definition in 64-bit integers, with one compression and three finalisation rounds. */
const reference = (key: Uint8Array, m: Uint8Array): bigint => {
  const k0 = word(key, 0, 8)
  const k1 = word(key, 8, 8)
  let [v0, v1, v2, v3] = [k0 ^ 0x736f6d6570736575n, k1 ^ 0x646f72616e646f6dn, k0 ^ 0x6c7967656e657261n, k1 ^ 0x7465646279746573n]
  const round = () => {
    v0 = (v0 + v1) & MASK
    v1 = rotate(v1, 13n) ^ v0
    v0 = rotate(v0, 32n)
    v2 = (v2 + v3) & MASK
    v3 = rotate(v3, 16n) ^ v2
    v0 = (v0 + v3) & MASK
    v3 = rotate(v3, 21n) ^ v0
    v2 = (v2 + v1) & MASK
    v1 = rotate(v1, 17n) ^ v2
    v2 = rotate(v2, 32n)
  }
  const whole = m.length & ~7
  for (let i = 0; i < whole; i += 8) {
    const w = word(m, i, 8)
    v3 ^= w
    round()
    v0 ^= w
  }
  const w = (BigInt(m.length & 255) << 56n) | word(m, whole, m.length - whole)
  v3 ^= w
  round()
  v0 ^= w
  v2 ^= 0xffn
  round()
  round()
  round()
  return v0 ^ v1 ^ v2 ^ v3
}

test('SipHash-1-3 equals its definition in 64-bit integers', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.uint8Array({ maxLength: 300 }), fc.nat(7), (key, message, lead) => {
      const sip = new SipHash(key)
      const padded = new Uint8Array(lead + message.length + 3)
      padded.set(message, lead)
      sip.hash(padded, lead, lead + message.length)
      assert.equal((BigInt(sip.hi) << 32n) | BigInt(sip.lo), reference(key, message))
    }),
    { seed: 1, numRuns: 500 },
  )
})

test('derived keys differ by label and by master', () => {
  const a = new Uint8Array(16)
  const b = Uint8Array.from({ length: 16 }, () => 1)
  const keys = [deriveKey(a, 'tenant:x'), deriveKey(a, 'tenant:y'), deriveKey(b, 'tenant:x')].map((k) => Buffer.from(k).toString('hex'))
  assert.equal(new Set(keys).size, 3)
})
