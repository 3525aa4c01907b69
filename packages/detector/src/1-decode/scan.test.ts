import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import fc from 'fast-check'
// @ts-expect-error a build script without types
import { compileKernel, KERNELS, renderKernel } from '../../scripts/build-wasm.mjs'
import { SipHash } from '../math/siphash.ts'
import { DecodedEvent, S } from '../record.ts'
import { decodeFull } from './full.ts'
import { fillFromEvent } from './fill.ts'
import { Scanner } from './scan.ts'

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

test('the embedded scanner is what its source compiles to', async () => {
  const committed = await readFile(new URL('./kernel.generated.ts', import.meta.url), 'utf8')
  assert.equal(committed, renderKernel(await compileKernel(KERNELS.scanner), KERNELS.scanner))
})

const name = fc.string({ minLength: 1, maxLength: 40, unit: fc.constantFrom(...'abcxyz019./:@-_ ') })
const event = fc.record(
  {
    id: name,
    identity: fc.record({
      id: name,
      kind: fc.constant('agent'),
      version: fc.record({ release: name, model: name, code: name }, { requiredKeys: [] }),
    }),
    delegation: fc.array(fc.record({ id: name, kind: fc.constant('user') }), { maxLength: 3 }),
    session: name,
    action: name,
    resource: fc.record({ id: name, class: name, segment: name }, { requiredKeys: ['class'] }),
    segment: name,
    destination: name,
    source: fc.record({ ip: fc.oneof(fc.ipV4(), fc.ipV6()), userAgent: name }, { requiredKeys: [] }),
  },
  { requiredKeys: ['id', 'identity', 'action', 'resource'] },
)

test('names have the same hashes from the kernel, from the full decoder and without a kernel', () => {
  const sip = new SipHash(Uint8Array.from({ length: 16 }, (_, i) => i * 37))
  const fast = new Scanner()
  const filled = new Scanner()
  const plain = new Scanner(false)
  const hashes = (scanner: Scanner): number[] => {
    scanner.hashNames(sip)
    return [...scanner.hashes.lo, ...scanner.hashes.hi]
  }
  let taken = 0
  fc.assert(
    fc.property(event, (fields) => {
      const full = decodeFull(encode({ ...fields, time: 1_770_000_000_000 }))
      if (!full.ok) return
      fillFromEvent(full.event, plain.event)
      fillFromEvent(full.event, filled.event)
      const expected = hashes(plain)
      assert.deepEqual(hashes(filled), expected)
      if (!fast.scan(full.canonical, 0, full.canonical.length, fast.event)) return
      taken++
      assert.deepEqual(hashes(fast), expected)
    }),
    { seed: 7, numRuns: 400 },
  )
  assert.ok(taken > 100, `the scanner took ${taken}`)
})

test('an event copied out keeps its fields when the next one is scanned', () => {
  const scanner = new Scanner()
  const copy = new DecodedEvent()
  const bytes = encode({
    id: 'a',
    time: 1_770_000_000_000,
    identity: { id: 'i', kind: 'user' },
    action: 'x',
    resource: { class: 'c' },
    bytesOut: 7,
  })
  assert.ok(scanner.scan(bytes, 0, bytes.length, copy))
  assert.equal(copy.text(S.identity), 'i')
  assert.equal(scanner.scan(encode({}), 0, 2, scanner.event), false)
  assert.equal(copy.kind, 1)
  assert.equal(copy.number[2], 7)
})

test('events of every length up to the limit are read, none beyond', () => {
  const scanner = new Scanner()
  const sized = (length: number): Uint8Array => {
    const head =
      '{"id":"a","time":1770000000000,"identity":{"id":"i","kind":"user"},"action":"x","resource":{"class":"c"},"attributes":{"k":"v"}}'
    return new TextEncoder().encode(head.slice(0, -1) + ' '.repeat(Math.max(0, length - head.length)) + '}')
  }
  // Padding is no shape that the scanner knows: it must come back with "no", from anywhere in its memory.
  for (const length of [200, 16_000, 65_535, 65_536, 65_537, 200_000])
    assert.equal(scanner.scan(sized(length), 0, sized(length).length, scanner.event), false)
  assert.ok(scanner.scan(sized(0), 0, sized(0).length, scanner.event))
  const open = new TextEncoder().encode(`{"id":"${'a'.repeat(65_536 - 7)}`)
  assert.equal(scanner.scan(open, 0, open.length, scanner.event), false)
})
