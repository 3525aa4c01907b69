import { createAutoencoder, INPUT_CAP, type AutoencoderParameters } from '@plumbline/detector/autoencoder'
import { PlumblineError } from '@plumbline/schemas'
import type { Tensor2D } from '@tensorflow/tfjs'
import { createAdam } from './adam.ts'
import { chooseBackend, type Backend } from './backend.ts'
import { createNet, type Net } from './net.ts'
import { createRandom, shuffle, type Random } from './random.ts'
import { standardise, type Standard } from './standardise.ts'

export interface TrainOptions {
  /** Feature vectors one after the other, raw (not standardised), finite. */
  readonly rows: Float32Array
  /** Features per row. */
  readonly width: number
  /** Same seed, rows and backend: same weights. */
  readonly seed: number
  /** Passes over the rows at most; fewer when the hold-out stops improving. Default: 300 to 3,000 steps' worth. */
  readonly epochs?: number
  /** Widths of the hidden layers. Default: width/2 (at least 32), width/4 (at least 8), width/2: wide around, narrow inside. */
  readonly hidden?: readonly number[]
  /** Standard deviation of the noise put on standardised inputs while training. Default 0.2. */
  readonly denoise?: number
  /** Rows per step. Default 64 to 512, by number of rows. */
  readonly batch?: number
  /** Adam's step size at the start; it falls to a twentieth. Default 0.003. */
  readonly learningRate?: number
  /** Share of rows held out for early stop and for the residual scale. Default 0.15. */
  readonly holdOut?: number
}

export interface TrainReport {
  readonly backend: Backend['name']
  readonly rows: number
  /** Rows left after thinning out exact repeats. */
  readonly distinctRows: number
  readonly steps: number
  readonly trainLoss: number
  readonly holdOutLoss: number
  readonly constantFeatures: number
}

export interface TrainedAutoencoder {
  readonly parameters: AutoencoderParameters
  readonly report: TrainReport
}

/** Fewer rows than this give no net worth having. */
export const MIN_TRAINING_ROWS = 20
/** Typical residuals below this share of a feature's spread are not trusted further. */
const RESIDUAL_FLOOR = 0.05
/** 1 / typical residual of a feature that never changed: the clamp of 8 spreads then counts as a whitened error of 16. */
const CONSTANT_SCALE = 0.5

const checkOptions = ({ rows, width }: TrainOptions): void => {
  if (!Number.isInteger(width) || width < 1 || rows.length % width !== 0) {
    throw new PlumblineError('TRAINING_ROWS', `${rows.length} values do not make whole rows of ${width}.`)
  }
  if (rows.length / width < MIN_TRAINING_ROWS)
    throw new PlumblineError('TRAINING_ROWS', `Training needs at least ${MIN_TRAINING_ROWS} rows.`)
  if (!rows.every(Number.isFinite)) throw new PlumblineError('TRAINING_ROWS', 'The rows hold a value that is not finite.')
}

/**
 * Row numbers to learn from: of k equal rows about √k stay. A robot that repeats itself a million times must not be all there
 * is, yet what is frequent stays more frequent than what is rare.
 */
const thinOut = (rows: Float32Array, width: number): Int32Array => {
  const words = new Uint32Array(rows.buffer, rows.byteOffset, rows.length)
  const counts = new Map<number, number>()
  const kept = new Int32Array(rows.length / width)
  let next = 0
  for (let r = 0; r < kept.length; r++) {
    const key = hashRow(words.subarray(r * width, (r + 1) * width))
    const before = counts.get(key) ?? 0
    counts.set(key, before + 1)
    // The 1st, 2nd, 5th, 10th … (k² + 1)th copy stays.
    if (Number.isInteger(Math.sqrt(before))) kept[next++] = r
  }
  return kept.slice(0, next)
}

/** 53 bits of a row's content (two multiplicative hashes): a collision would merely thin out one row more. */
const hashRow = (words: Uint32Array): number => {
  let a = 0x811c9dc5
  let b = 0x9e3779b9
  for (const word of words) {
    a = Math.imul(a ^ word, 0x01000193)
    a ^= a >>> 15
    b = Math.imul(b ^ word, 0x85ebca6b)
    b ^= b >>> 13
  }
  return (a >>> 0) * 0x200000 + (b & 0x1fffff)
}

/** The rows named by `index`, standardised and clamped as the kernel does it. */
const standardRows = (rows: Float32Array, width: number, index: Int32Array, s: Standard): Float32Array => {
  const out = new Float32Array(index.length * width)
  for (let i = 0; i < index.length; i++) {
    for (let f = 0; f < width; f++) {
      const z = (rows[index[i]! * width + f]! - s.mean[f]!) * s.invStd[f]!
      out[i * width + f] = Math.max(-INPUT_CAP, Math.min(INPUT_CAP, z))
    }
  }
  return out
}

/** Endless batches of shuffled rows, each with fresh noise on the features that vary. */
const createBatches = (z: Float32Array, width: number, batch: number, denoise: number, constant: Uint8Array, random: Random) => {
  const order = Int32Array.from({ length: z.length / width }, (_, i) => i)
  // Drawing from a pool at a random place is ten times cheaper than a new normal number each.
  const pool = Float32Array.from({ length: 65_537 }, () => random.normal() * denoise)
  const clean = new Float32Array(batch * width)
  const noisy = new Float32Array(batch * width)
  let next = order.length
  return () => {
    for (let b = 0; b < batch; b++) {
      if (next >= order.length) {
        shuffle(order, random)
        next = 0
      }
      const from = order[next++]! * width
      let p = random.below(pool.length - width)
      for (let f = 0; f < width; f++) {
        const v = z[from + f]!
        clean[b * width + f] = v
        noisy[b * width + f] = constant[f] === 1 ? v : v + pool[p++]!
      }
    }
    return { clean, noisy }
  }
}

interface FitPlan {
  readonly steps: number
  readonly batch: number
  readonly denoise: number
  readonly learningRate: number
}

/** Adam on noisy input, falling step size; keeps the weights that did best on the hold-out. */
const fit = (backend: Backend, net: Net, train: Float32Array, held: Float32Array, constant: Uint8Array, plan: FitPlan, random: Random) => {
  const { tf } = backend
  const width = net.layers[0]!
  const nextBatch = createBatches(train, width, plan.batch, plan.denoise, constant, random)
  const variables = [...net.kernels, ...net.biases]
  const adam = createAdam(backend, variables)
  const heldTensor = tf.tensor2d(held, [held.length / width, width])
  const loss = (input: Tensor2D, target: Tensor2D) => tf.mean(tf.squaredDifference(net.forward(input), target)).asScalar()
  const checkEvery = Math.max(20, Math.ceil(plan.steps / 40))
  let best = { holdOutLoss: Infinity, trainLoss: Infinity, weights: net.weights() }
  let failures = 0
  let step = 0
  while (step < plan.steps && failures < 8) {
    const rate = plan.learningRate * (1 - (0.95 * step) / plan.steps)
    const { clean, noisy } = nextBatch()
    step++
    const check = step % checkEvery === 0 || step === plan.steps
    const [trainLoss, holdOutLoss] = tf.tidy(() => {
      const target = tf.tensor2d(clean, [plan.batch, width])
      const input = tf.tensor2d(noisy, [plan.batch, width])
      const { value, grads } = tf.variableGrads(() => loss(input, target), variables)
      adam.step(grads, rate)
      return check ? [value.dataSync()[0]!, loss(heldTensor, heldTensor).dataSync()[0]!] : [0, 0]
    })
    if (!check) continue
    if (holdOutLoss! < best.holdOutLoss) {
      best = { holdOutLoss: holdOutLoss!, trainLoss: trainLoss!, weights: net.weights() }
      failures = 0
    } else failures++
  }
  heldTensor.dispose()
  return { ...best, steps: step }
}

/** Weights of features that never changed are what they were drawn as; zero makes them neither disturb nor be disturbed. */
const silence = (weights: Float32Array, layers: readonly number[], constant: Uint8Array): void => {
  const first = layers[1]!
  const last = layers.at(-2)!
  const width = constant.length
  const end = weights.length - width * (last + 1)
  for (let f = 0; f < width; f++) {
    if (constant[f] === 0) continue
    weights.fill(0, first * (f + 1), first * (f + 2))
    for (let row = 0; row <= last; row++) weights[end + row * width + f] = 0
  }
}

/** 1 / typical residual of each feature on these rows: root mean square without the largest hundredth. */
const residualScales = (
  p: Omit<AutoencoderParameters, 'residualScale'>,
  rows: Float32Array,
  index: Int32Array,
  constant: Uint8Array,
): Float32Array => {
  const width = constant.length
  const scorer = createAutoencoder({ ...p, residualScale: new Float32Array(width).fill(1) })
  const squares = Array.from({ length: width }, () => new Float64Array(index.length))
  index.forEach((row, i) => {
    scorer.input.set(rows.subarray(row * width, (row + 1) * width))
    scorer.run()
    for (let f = 0; f < width; f++) squares[f]![i] = scorer.errors[f]!
  })
  return Float32Array.from(squares, (column, f) => {
    if (constant[f] === 1) return CONSTANT_SCALE
    column.sort()
    const kept = column.subarray(0, Math.max(1, Math.ceil(column.length * 0.99)))
    return 1 / Math.max(RESIDUAL_FLOOR, Math.sqrt(kept.reduce((a, b) => a + b, 0) / kept.length))
  })
}

const defaultHidden = (width: number): number[] => {
  const outer = Math.max(32, Math.ceil(width / 2))
  return [outer, Math.max(8, Math.ceil(width / 4)), outer]
}

/**
 * Fits the autoencoder with TensorFlow.js. Blocks the event loop while it runs: use `trainInWorker` in a service.
 * Throws `TRAINING_ROWS` for rows that cannot be learned from.
 */
export const trainAutoencoder = async (options: TrainOptions): Promise<TrainedAutoencoder> => {
  checkOptions(options)
  const { rows, width, seed } = options
  const backend = await chooseBackend()
  const random = createRandom(seed)
  const standard = standardise(rows, width)
  const index = shuffle(thinOut(rows, width), random)
  const heldCount = Math.min(4096, Math.max(1, Math.round(index.length * (options.holdOut ?? 0.15))))
  const heldIndex = index.subarray(0, heldCount)
  const trainIndex = index.subarray(Math.min(heldCount, index.length - 1))
  const layers = [width, ...(options.hidden ?? defaultHidden(width)), width]
  const batch = options.batch ?? Math.min(512, Math.max(64, 2 ** Math.floor(Math.log2(trainIndex.length / 8))))
  const perEpoch = Math.max(1, Math.ceil(trainIndex.length / batch))
  const steps = options.epochs === undefined ? Math.min(3000, Math.max(300, perEpoch * 40)) : perEpoch * options.epochs
  const plan = { steps, batch, denoise: options.denoise ?? 0.2, learningRate: options.learningRate ?? 0.003 }

  const net = createNet(backend, layers, random)
  const z = (i: Int32Array) => standardRows(rows, width, i, standard)
  const result = fit(backend, net, z(trainIndex), z(heldIndex), standard.constant, plan, random)
  net.dispose()
  silence(result.weights, layers, standard.constant)
  const fitted = { layers, weights: result.weights, mean: standard.mean, invStd: standard.invStd }
  const residualScale = residualScales(fitted, rows, heldIndex.length >= 64 ? heldIndex : index, standard.constant)
  return {
    parameters: { ...fitted, residualScale },
    report: {
      backend: backend.name,
      rows: rows.length / width,
      distinctRows: index.length,
      steps: result.steps,
      trainLoss: result.trainLoss,
      holdOutLoss: result.holdOutLoss,
      constantFeatures: standard.constant.reduce((a, b) => a + b, 0),
    },
  }
}
