import type { Autoencoder } from './index.ts'
import { canRun, instantiate } from '../math/wasm-module.ts'
import { KERNEL_BASE64 } from './kernel.generated.ts'
import { ERROR_CAP, INPUT_CAP, activeFeatures, pad16, padWeights, type AutoencoderParameters } from './layout.ts'

interface Kernel {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number }
  run(net: number): number
}

const PAGE = 65536
/** First bytes of memory are left alone, so that no block starts at address 0. */
const BASE = 1024
const DESCRIPTOR_BYTES = 128

export const wasmAvailable = (): boolean => canRun(KERNEL_BASE64)

/** A net in the memory of its own kernel instance; memory never grows after this, so the views stay valid. */
export const createWasm = (p: AutoencoderParameters): Autoencoder => {
  const width = p.layers[0]!
  const widths = p.layers.map(pad16)
  const w = widths[0]!
  const widest = Math.max(...widths)
  const weights = padWeights(p.layers, p.weights)
  const { memory, run } = instantiate<Kernel>(KERNEL_BASE64)!

  let next = BASE + DESCRIPTOR_BYTES
  const reserve = (floats: number): number => {
    const at = next
    next += floats * 4
    return at
  }
  const raw = reserve(w)
  const mean = reserve(w)
  const invStd = reserve(w)
  const scale = reserve(w)
  const errors = reserve(w)
  const standard = reserve(w)
  const bufferA = reserve(widest)
  const bufferB = reserve(widest)
  const weightsAt = reserve(weights.length)
  const missing = Math.ceil(next / PAGE) - memory.buffer.byteLength / PAGE
  if (missing > 0) memory.grow(missing)

  const floats = new Float32Array(memory.buffer)
  floats.set(p.mean, mean / 4)
  floats.set(p.invStd, invStd / 4)
  floats.set(p.residualScale, scale / 4)
  floats.set(weights, weightsAt / 4)
  const descriptor = new Int32Array(memory.buffer, BASE, DESCRIPTOR_BYTES / 4)
  descriptor.set([widths.length, w, raw, mean, invStd, scale, errors, standard, bufferA, bufferB, weightsAt])
  floats[BASE / 4 + 11] = INPUT_CAP
  floats[BASE / 4 + 12] = ERROR_CAP
  descriptor.set(widths, 16)

  const active = activeFeatures(p.residualScale)
  return {
    width,
    input: new Float32Array(memory.buffer, raw, width),
    errors: new Float32Array(memory.buffer, errors, width),
    run: () => run(BASE) / active,
  }
}
