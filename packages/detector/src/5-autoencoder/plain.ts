import type { Autoencoder } from './index.ts'
import { ERROR_CAP, INPUT_CAP, activeFeatures, pad16, padWeights, type AutoencoderParameters } from './layout.ts'

const { fround } = Math

/** `to[o] = bias[o] + Σ from[i] × weight[i][o]`, inputs in order, each step rounded to float32. Returns the offset behind the layer. */
const dense = (weights: Float32Array, start: number, from: Float32Array, to: Float32Array, inputs: number, outputs: number): number => {
  for (let o = 0; o < outputs; o++) to[o] = weights[start + o]!
  let w = start + outputs
  for (let i = 0; i < inputs; i++) {
    const v = from[i]!
    for (let o = 0; o < outputs; o++) to[o] = fround(to[o]! + fround(v * weights[w + o]!))
    w += outputs
  }
  return w
}

/** Comparisons mirror the vector instructions: NaN becomes the bound, −0 becomes +0. */
const relu = (values: Float32Array, count: number): void => {
  for (let i = 0; i < count; i++) {
    const v = values[i]!
    values[i] = 0 < v ? v : 0
  }
}

/** The same arithmetic as assembly/autoencoder.ts where WebAssembly SIMD is not to be had; bit for bit equal to it. */
export const createPlain = (p: AutoencoderParameters): Autoencoder => {
  const width = p.layers[0]!
  const widths = p.layers.map(pad16)
  const widest = Math.max(...widths)
  const block = (values: Float32Array, length: number): Float32Array => {
    const out = new Float32Array(length)
    out.set(values)
    return out
  }
  const w = widths[0]!
  const mean = block(p.mean, w)
  const invStd = block(p.invStd, w)
  const scale = block(p.residualScale, w)
  const weights = padWeights(p.layers, p.weights)
  const raw = new Float32Array(w)
  const standard = new Float32Array(w)
  const errors = new Float32Array(w)
  const buffers = [new Float32Array(widest), new Float32Array(widest)] as const
  const active = activeFeatures(p.residualScale)

  const run = (): number => {
    for (let i = 0; i < w; i++) {
      const z = fround(fround(raw[i]! - mean[i]!) * invStd[i]!)
      const low = -INPUT_CAP < z ? z : -INPUT_CAP
      standard[i] = low < INPUT_CAP ? low : INPUT_CAP
    }
    let from = standard
    let at = 0
    for (let l = 1; l < widths.length; l++) {
      const to = buffers[(l & 1) as 0 | 1]
      at = dense(weights, at, from, to, widths[l - 1]!, widths[l]!)
      if (l < widths.length - 1) relu(to, widths[l]!)
      from = to
    }
    let s0 = 0
    let s1 = 0
    let s2 = 0
    let s3 = 0
    for (let i = 0; i < w; i += 4) {
      for (let k = i; k < i + 4; k++) {
        const d = fround(fround(standard[k]! - from[k]!) * scale[k]!)
        const e = fround(d * d)
        errors[k] = scale[k]! > 0 ? (e < ERROR_CAP ? e : ERROR_CAP) : 0
      }
      s0 = fround(s0 + errors[i]!)
      s1 = fround(s1 + errors[i + 1]!)
      s2 = fround(s2 + errors[i + 2]!)
      s3 = fround(s3 + errors[i + 3]!)
    }
    return fround(fround(s0 + s1) + fround(s2 + s3)) / active
  }
  return { width, input: raw.subarray(0, width), errors: errors.subarray(0, width), run }
}
