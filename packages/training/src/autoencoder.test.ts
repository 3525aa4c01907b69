import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAutoencoder, type AutoencoderParameters } from '@plumbline/detector/autoencoder'
import { trainAutoencoder } from './autoencoder.ts'
import { chooseBackend } from './backend.ts'
import { createNet } from './net.ts'
import { createRandom } from './random.ts'
import { trainInWorker } from './train-in-worker.ts'

/** Rows on a curved sheet: 8 features of 2 causes, then a constant, then an exact copy of feature 0. */
const sheet = (n: number, seed: number): Float32Array => {
  const r = createRandom(seed)
  const rows = new Float32Array(n * 10)
  for (let i = 0; i < n; i++) {
    const [a, b] = [r.normal(), r.normal()]
    const causes = [a, b, a + b, a - b, a * b, a * a, Math.sin(2 * b), Math.abs(a)]
    causes.forEach((v, f) => {
      rows[i * 10 + f] = 100 + 10 * v + r.normal() * 0.3
    })
    rows[i * 10 + 8] = 5
    rows[i * 10 + 9] = rows[i * 10]!
  }
  return rows
}

const scores = (p: AutoencoderParameters, rows: Float32Array, change: (row: Float32Array) => void = () => {}): number[] => {
  const ae = createAutoencoder(p)
  return Array.from({ length: rows.length / ae.width }, (_, i) => {
    ae.input.set(rows.subarray(i * ae.width, (i + 1) * ae.width))
    change(ae.input)
    return ae.run()
  })
}
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length

const model = await trainAutoencoder({ rows: sheet(2000, 1), width: 10, seed: 7, epochs: 40 })

test('normal rows score about 1, broken relations score far above', () => {
  const fresh = sheet(500, 2)
  const normal = mean(scores(model.parameters, fresh))
  assert.ok(normal > 0.5 && normal < 2, `normal ${normal}`)
  // Feature 2 is the sum of 0 and 1: a value that is usual by itself but not here.
  const broken = mean(scores(model.parameters, fresh, (row) => (row[2] = 200 - row[2]!)))
  assert.ok(broken > 5 * normal, `broken ${broken} normal ${normal}`)
})

test('a feature that was constant in training has bounded influence, and none on the others', () => {
  const ae = createAutoencoder(model.parameters)
  ae.input.set(sheet(1, 3))
  ae.run()
  const before = ae.errors.slice()
  assert.equal(before[8], 0)
  ae.input[8] = 1e30
  ae.run()
  const after = ae.errors.slice()
  assert.equal(after[8], 16)
  after[8] = 0
  assert.deepEqual(after, before)
})

test('one absurd value moves the score by a bounded amount', () => {
  const rows = sheet(1, 3)
  for (const v of [1e30, -1e30, Infinity, NaN]) {
    const [score] = scores(model.parameters, rows, (row) => row.fill(v))
    assert.ok(score! > 5 && score! <= 400, String(score))
  }
})

test('the same seed gives the same weights on one backend, another seed others', async () => {
  const rows = sheet(200, 4)
  const options = { rows, width: 10, seed: 1, epochs: 3 }
  const [a, b, c] = [await trainAutoencoder(options), await trainAutoencoder(options), await trainAutoencoder({ ...options, seed: 2 })]
  assert.deepEqual(a, b)
  assert.notDeepEqual(a.parameters.weights, c.parameters.weights)
})

test('the kernel reconstructs what TensorFlow reconstructs, within 1e-5', async () => {
  const backend = await chooseBackend()
  const { tf } = backend
  for (const layers of [
    [64, 32, 12, 32, 64],
    [7, 3, 7],
    [100, 50, 20, 50, 100],
  ]) {
    const random = createRandom(layers[0]!)
    const net = createNet(backend, layers, random)
    const width = layers[0]!
    const ones = new Float32Array(width).fill(1)
    const p = { layers, weights: net.weights(), mean: new Float32Array(width), invStd: ones, residualScale: ones }
    const x = Float32Array.from({ length: 200 * width }, () => random.normal())
    const y = tf.tidy(() => net.forward(tf.tensor2d(x, [200, width])).dataSync())
    for (const kernel of ['wasm', 'plain'] as const) {
      const ae = createAutoencoder(p, kernel)
      for (let r = 0; r < 200; r++) {
        ae.input.set(x.subarray(r * width, (r + 1) * width))
        const total = ae.run()
        let sum = 0
        for (let f = 0; f < width; f++) sum += (x[r * width + f]! - y[r * width + f]!) ** 2
        assert.ok(Math.abs(total - sum / width) <= 1e-5 * Math.max(1, total), `${kernel} row ${r}: ${total} ${sum / width}`)
      }
    }
    net.load(p.weights)
    assert.deepEqual(net.weights(), p.weights)
    net.dispose()
  }
})

test('rows that cannot be learned from are refused', async () => {
  await assert.rejects(trainAutoencoder({ rows: new Float32Array(11), width: 10, seed: 0 }), { code: 'TRAINING_ROWS' })
  await assert.rejects(trainAutoencoder({ rows: new Float32Array(50), width: 10, seed: 0 }), { code: 'TRAINING_ROWS' })
  await assert.rejects(trainAutoencoder({ rows: new Float32Array(400).fill(NaN), width: 10, seed: 0 }), { code: 'TRAINING_ROWS' })
})

test('training in a worker thread gives the same model and leaves the event loop free', async () => {
  const options = { rows: sheet(2000, 1), width: 10, seed: 7, epochs: 40 }
  let ticks = 0
  const timer = setInterval(() => ticks++, 1)
  const trained = await trainInWorker(options)
  clearInterval(timer)
  assert.deepEqual(trained, model)
  assert.ok(ticks > 10, `${ticks} ticks`)
  await assert.rejects(trainInWorker({ ...options, rows: new Float32Array(11) }), { code: 'TRAINING_ROWS' })
  await assert.rejects(trainInWorker(options, AbortSignal.abort()), { code: 'TRAINING_ABORTED' })
})
