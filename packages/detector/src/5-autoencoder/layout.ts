import { PlumblineError } from '@plumbline/schemas'

/** What a trained net consists of; the sections of a release. Widths are the real ones, not padded. */
export interface AutoencoderParameters {
  /** Widths, input first; first and last are equal. Hidden layers use relu, the last is linear. */
  readonly layers: readonly number[]
  /** Per layer `bias[out]`, then `weight[in][out]` (TensorFlow's kernel order), one layer after the other. */
  readonly weights: Float32Array
  /** Centre of each feature. */
  readonly mean: Float32Array
  /** 1 / spread of each feature; 0 takes the feature out of the net's input. */
  readonly invStd: Float32Array
  /** 1 / typical residual of each feature, in standardised units; 0 takes the feature out of the error. */
  readonly residualScale: Float32Array
}

/** Standardised inputs are clamped to ± this many spreads: one absurd value moves the score by a bounded amount. */
export const INPUT_CAP = 8
/** Ceiling of one feature's whitened squared error (20 typical residuals). */
export const ERROR_CAP = 400
const MAX_WIDTH = 4096
const MAX_LAYERS = 12

export const pad16 = (n: number): number => (n + 15) & ~15

/** Number of floats in `weights` for these widths. */
export const weightCount = (layers: readonly number[]): number => {
  let sum = 0
  for (let l = 1; l < layers.length; l++) sum += layers[l]! * (layers[l - 1]! + 1)
  return sum
}

/** Refuses parameters that no kernel should run. Throws `AUTOENCODER_INVALID`. */
export const checkParameters = (p: AutoencoderParameters): void => {
  const fail = (message: string): never => {
    throw new PlumblineError('AUTOENCODER_INVALID', message)
  }
  if (p.layers.length < 2 || p.layers.length > MAX_LAYERS) fail(`A net has 2 to ${MAX_LAYERS} layers, this one ${p.layers.length}.`)
  for (const width of p.layers) if (!Number.isInteger(width) || width < 1 || width > MAX_WIDTH) fail(`A layer is 1 to ${MAX_WIDTH} wide.`)
  const width = p.layers[0]!
  if (p.layers.at(-1) !== width) fail('The first and the last layer must be equally wide.')
  if (p.weights.length !== weightCount(p.layers)) fail(`Expected ${weightCount(p.layers)} weights, got ${p.weights.length}.`)
  for (const name of ['mean', 'invStd', 'residualScale'] as const) {
    if (p[name].length !== width) fail(`Expected ${width} values in ${name}, got ${p[name].length}.`)
  }
  for (const name of ['weights', 'mean', 'invStd', 'residualScale'] as const) {
    if (!p[name].every(Number.isFinite)) fail(`${name} holds a value that is not finite.`)
  }
  for (const name of ['invStd', 'residualScale'] as const) if (p[name].some((v) => v < 0)) fail(`${name} holds a negative value.`)
}

/** Copies weights into the padded form both kernels read: widths up to multiples of 16, filled with zeros. */
export const padWeights = (layers: readonly number[], weights: Float32Array): Float32Array => {
  const padded = layers.map(pad16)
  const out = new Float32Array(weightCount(padded))
  let from = 0
  let to = 0
  for (let l = 1; l < layers.length; l++) {
    const width = layers[l]!
    // Row 0 is the bias, rows 1… are the inputs; both are `width` long.
    for (let row = 0; row <= layers[l - 1]!; row++)
      out.set(weights.subarray(from + row * width, from + (row + 1) * width), to + row * padded[l]!)
    from += width * (layers[l - 1]! + 1)
    to += padded[l]! * (padded[l - 1]! + 1)
  }
  return out
}

/** Features that count: the divisor of the mean error, at least 1. */
export const activeFeatures = (residualScale: Float32Array): number => {
  let active = 0
  for (const scale of residualScale) if (scale > 0) active++
  return Math.max(1, active)
}
