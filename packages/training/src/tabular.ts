import { type Autoencoder, createAutoencoder } from '@plumbline/detector/autoencoder'
import type { TrainOptions } from './autoencoder.ts'
import { alignTable, readTable, type Table } from './table.ts'
import { trainAllInWorkers } from './train-in-worker.ts'

export interface TabularOptions {
  /** Same seed and rows: same scores. Default 0. */
  readonly seed?: number
  /** Threads to train on at most. Default: as many as there are cores, at most 4. */
  readonly threads?: number
}

/**
 * Nets that judge a table together. All are wide outside, so that they can follow curved relations; how narrow the inside must
 * be depends on how many causes lie behind the columns, which is not known beforehand, so several shapes vote (the one without
 * a waist is held back by more noise instead).
 */
const MEMBERS = [
  { hidden: [128, 32, 128], denoise: 0.3 },
  { hidden: [64, 16, 64], denoise: 0.3 },
  { hidden: [64, 64], denoise: 0.5 },
  { hidden: [128, 32, 128], denoise: 0.3 },
] as const
/** Optimiser steps per net, whatever the number of rows. */
const STEPS = 800

const jobsFor = (train: Table, seed: number): TrainOptions[] => {
  const count = train.rows.length / train.width
  // A step's cost grows with width × batch: very wide tables take smaller steps rather than minutes.
  const most = train.width <= 256 ? 256 : 64
  const batch = Math.min(most, Math.max(32, 2 ** Math.floor(Math.log2(count / 8))))
  const perEpoch = Math.max(1, Math.ceil((count * 0.85) / batch))
  return MEMBERS.map(({ hidden, denoise }, i) => ({
    rows: train.rows,
    width: train.width,
    seed: seed * 1000 + i,
    hidden,
    denoise,
    batch,
    epochs: Math.ceil(STEPS / perEpoch),
  }))
}

/** Mean absolute whitened residual of one row: one wild column of a hundred says less than ten that are all a little off. */
const rowScore = (net: Autoencoder): number => {
  net.run()
  let sum = 0
  for (const error of net.errors) sum += Math.sqrt(error)
  return sum / net.width
}

/**
 * Scores of the bare autoencoder, one per test row: geometric mean over the nets of the mean absolute whitened residual
 * (below 1 for a usual row; higher is odder). Uses the same training, whitening and kernel as the detector (contracts C9).
 * A last extra column of `test` is ignored. Throws `TABLE_WIDTH`, `TABLE_INVALID` (from files) or `TRAINING_ROWS`.
 */
export const scoreTabular = async (train: Table | string, test: Table | string, options: TabularOptions = {}): Promise<Float32Array> => {
  const known = typeof train === 'string' ? await readTable(train) : train
  const { width } = known
  const { rows } = alignTable(typeof test === 'string' ? await readTable(test) : test, width)
  const nets = await trainAllInWorkers(jobsFor(known, options.seed ?? 0), options.threads)
  const logs = new Float64Array(rows.length / width)
  for (const { parameters } of nets) {
    const net = createAutoencoder(parameters)
    for (let r = 0; r < logs.length; r++) {
      net.input.set(rows.subarray(r * width, (r + 1) * width))
      logs[r]! += Math.log(Math.max(1e-30, rowScore(net)))
    }
  }
  return Float32Array.from(logs, (sum) => Math.exp(sum / nets.length))
}
