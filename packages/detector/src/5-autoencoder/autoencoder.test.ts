import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import fc from 'fast-check'
import { createAutoencoder, ERROR_CAP, INPUT_CAP, weightCount, type AutoencoderParameters } from './index.ts'
// @ts-expect-error a build script without types
import { compileKernel, renderKernel } from '../../scripts/build-wasm.mjs'

/** Small seeded generator (mulberry32), uniform in [0, 1). */
const random = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}

const EXTREMES = [0, -0, 1e-45, -1e-45, 1e-40, 1.1754944e-38, 3.4028235e38, -3.4028235e38, 1e30, -1e30, Infinity, -Infinity, NaN, 1, -1]

const net = (layers: number[], seed: number, spread: number): AutoencoderParameters => {
  const r = random(seed)
  const fill = (n: number, f: () => number) => Float32Array.from({ length: n }, f)
  const finite = () => {
    if (r() > 0.02) return (r() - 0.5) * spread
    const v = EXTREMES[Math.floor(r() * EXTREMES.length)]!
    return Number.isFinite(v) ? v : 0
  }
  const width = layers[0]!
  return {
    layers,
    weights: fill(weightCount(layers), finite),
    mean: fill(width, finite),
    invStd: fill(width, () => (r() < 0.1 ? 0 : r() * 3)),
    residualScale: fill(width, () => (r() < 0.1 ? 0 : r() * 5)),
  }
}

const bits = (values: Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('hex')

test('wasm and plain kernels agree bit for bit on any net and any input', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 5 }),
      fc.integer(),
      fc.constantFrom(1e-38, 1e-3, 1, 30, 1e20),
      (hidden, seed, spread) => {
        const p = net([...hidden, hidden[0]!], seed, spread)
        const wasm = createAutoencoder(p, 'wasm')
        const plain = createAutoencoder(p, 'plain')
        const r = random(seed ^ 77)
        for (let row = 0; row < 4; row++) {
          for (let i = 0; i < wasm.width; i++) {
            const v = r() < 0.1 ? EXTREMES[Math.floor(r() * EXTREMES.length)]! : (r() - 0.5) * (row === 3 ? 1e-38 : 20)
            wasm.input[i] = v
            plain.input[i] = v
          }
          const a = wasm.run()
          assert.ok(Object.is(a, plain.run()))
          assert.ok(a >= 0 && a <= ERROR_CAP)
          assert.equal(bits(wasm.errors), bits(plain.errors))
        }
      },
    ),
    { seed: 3, numRuns: 300 },
  )
})

test('the net is what its definition says', () => {
  const layers = [5, 3, 5]
  const p = net(layers, 11, 1)
  p.mean.fill(0.25)
  p.invStd.fill(2)
  p.residualScale.set([1, 2, 0, 0.5, 3])
  const input = [0.1, -0.7, 900, 0.4, -900]
  const z = input.map((x) => Math.max(-INPUT_CAP, Math.min(INPUT_CAP, (x - 0.25) * 2)))
  const h = [0, 1, 2].map((o) =>
    Math.max(
      0,
      z.reduce((s, v, i) => s + v * p.weights[3 + i * 3 + o]!, p.weights[o]!),
    ),
  )
  const y = z.map((_, o) => h.reduce((s, v, i) => s + v * p.weights[18 + 5 + i * 5 + o]!, p.weights[18 + o]!))
  const errors = z.map((v, i) => Math.min(ERROR_CAP, ((v - y[i]!) * p.residualScale[i]!) ** 2))
  for (const kernel of ['wasm', 'plain'] as const) {
    const ae = createAutoencoder(p, kernel)
    ae.input.set(input)
    const total = ae.run()
    errors.forEach((e, i) => assert.ok(Math.abs(ae.errors[i]! - e) <= 1e-5 * (1 + e), `feature ${i}`))
    assert.ok(Math.abs(total - errors.reduce((a, b) => a + b) / 4) < 1e-3)
  }
})

test('parameters that do not fit are refused', () => {
  const good = net([4, 2, 4], 1, 1)
  const bad: Partial<AutoencoderParameters>[] = [
    { layers: [4] },
    { layers: [4, 2, 5] },
    { layers: [4, 0, 4] },
    { weights: good.weights.subarray(1) },
    { mean: new Float32Array(3) },
    { invStd: Float32Array.of(1, 1, NaN, 1) },
    { residualScale: Float32Array.of(1, -1, 1, 1) },
  ]
  for (const change of bad) assert.throws(() => createAutoencoder({ ...good, ...change }), { code: 'AUTOENCODER_INVALID' })
})

test('the embedded kernel is what its source compiles to', async () => {
  const committed = await readFile(new URL('./kernel.generated.ts', import.meta.url), 'utf8')
  assert.equal(committed, renderKernel(await compileKernel()))
})

test('the bits stay what they are, on every engine', () => {
  const hash = createHash('sha256')
  for (const kernel of ['wasm', 'plain'] as const) {
    const ae = createAutoencoder(net([64, 32, 12, 32, 64], 5, 1), kernel)
    const r = random(6)
    for (let row = 0; row < 50; row++) {
      for (let i = 0; i < ae.width; i++) ae.input[i] = (r() - 0.5) * 6
      hash.update(new Uint8Array(Float64Array.of(ae.run()).buffer)).update(bits(ae.errors))
    }
  }
  assert.equal(hash.digest('hex').slice(0, 16), 'd660d25096b162b2')
})
