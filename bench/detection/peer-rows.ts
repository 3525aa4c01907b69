// What a user would put in our detector's place, on the very vectors that it made: fitted on A, then scoring B.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FEATURE_COUNT } from '@plumbline/schemas'
import { CACHE } from '../lib/paths.ts'
import { type PeerEnvironment, python, setup } from '../peers/python.ts'
import type { Evaluated } from './vectors.ts'

const MOST_TRAINING = 30_000

const reasons = new Map<PeerEnvironment, string | null>()
const missing = (what: PeerEnvironment): string | null => {
  if (!reasons.has(what)) reasons.set(what, setup(what))
  return reasons.get(what)!
}

/** A score per row of B of each peer that can be had here. River goes on learning while it scores, which is how it is meant. */
export const peerScores = ({ rows, training }: Evaluated): ReadonlyMap<string, Float32Array> => {
  const file = join(CACHE, 'scoreboard.f32')
  const out = join(CACHE, 'scoreboard-scores.f32')
  const trained = training.length / FEATURE_COUNT
  const all = new Float32Array(training.length + rows.length * FEATURE_COUNT)
  all.set(training)
  rows.forEach(({ features }, i) => all.set(features, training.length + i * FEATURE_COUNT))
  writeFileSync(file, new Uint8Array(all.buffer))
  const read = (from: number): Float32Array => {
    const bytes = readFileSync(out)
    return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)).subarray(from)
  }
  const scores = new Map<string, Float32Array>()
  const count = trained + rows.length
  if (missing('river') === null) {
    const first = Math.max(0, trained - MOST_TRAINING)
    python('venv', 'hst.py', [file, FEATURE_COUNT, first, count, out])
    scores.set('River HalfSpaceTrees', read(trained - first))
  }
  if (missing('pyod') === null) {
    python('venv-pyod', 'autoencoder.py', [file, FEATURE_COUNT, 0, trained, MOST_TRAINING, trained, count, out])
    scores.set('PyOD AutoEncoder', read(0))
  }
  return scores
}

/** Peers without a row, and why. */
export const peersLeftOut = (): readonly string[] =>
  (['river', 'pyod'] as const).flatMap((what) => {
    const why = missing(what)
    return why === null ? [] : [`${what === 'river' ? 'River HalfSpaceTrees' : 'PyOD AutoEncoder'}: left out, ${why}.`]
  })
