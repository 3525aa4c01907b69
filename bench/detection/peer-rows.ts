// What a user would put in our detector's place, on the very vectors that it made: fitted on A, then scoring B.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { FEATURE_COUNT } from '@plumbline/schemas'
import { CACHE, hashOf, ROOT } from '../lib/paths.ts'
import { type PeerEnvironment, python, setup } from '../peers/python.ts'
import type { Evaluated } from './vectors.ts'

/** Of what came before, a peer learns from so many rows. */
export const MOST_TRAINING = 30_000
/** What a peer draws its own chance with. */
export const PEER_SEED = 42

/** A file of vectors: learned from are the rows `from` to `judgedFrom`, judged those from there to `count`. */
export interface PeerJob {
  readonly file: string
  readonly from: number
  readonly judgedFrom: number
  readonly count: number
}

interface Peer {
  readonly environment: PeerEnvironment
  readonly venv: 'venv' | 'venv-pyod'
  readonly script: string
  readonly rows: (job: PeerJob) => readonly number[]
}

/** River goes on learning while it scores, which is how it is meant; of what it scored, the judged rows come last. */
const PEERS: Readonly<Record<string, Peer>> = {
  'River HalfSpaceTrees': {
    environment: 'river',
    venv: 'venv',
    script: 'hst.py',
    rows: ({ from, judgedFrom, count }) => [Math.max(from, judgedFrom - MOST_TRAINING), count],
  },
  'PyOD AutoEncoder': {
    environment: 'pyod',
    venv: 'venv-pyod',
    script: 'autoencoder.py',
    rows: ({ from, judgedFrom, count }) => [from, judgedFrom, MOST_TRAINING, judgedFrom, count],
  },
}

const reasons = new Map<PeerEnvironment, string | null>()
const missing = (what: PeerEnvironment): string | null => {
  if (!reasons.has(what)) reasons.set(what, setup(what))
  return reasons.get(what)!
}

const readScores = (path: string, judged: number): Float32Array => {
  const bytes = readFileSync(path)
  const scores = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
  return scores.subarray(scores.length - judged)
}

const run = ({ venv, script, rows }: Peer, job: PeerJob, out: string, seed: number): string => {
  python(venv, script, [job.file, FEATURE_COUNT, ...rows(job), out, seed])
  return out
}

/** Where the file's name tells its contents, what a peer made of it is kept. */
const runOnce = (peer: Peer, job: PeerJob, seed: number): string => {
  const script = readFileSync(join(ROOT, 'bench/peers', peer.script), 'utf8')
  const out = join(CACHE, `scores-${hashOf(basename(job.file), script, peer.rows(job), seed)}.f32`)
  if (!existsSync(out)) renameSync(run(peer, job, `${out}.part`, seed), out)
  return out
}

const ofEach = <T>(make: (peer: Peer) => T): ReadonlyMap<string, T> =>
  new Map(
    Object.entries(PEERS)
      .filter(([, { environment }]) => missing(environment) === null)
      .map(([name, peer]) => [name, make(peer)]),
  )

/** Of each peer that can be had here, for each seed of its own chance a score per judged row of vectors that lie in the cache. */
export const peerScoresOfFile = (job: PeerJob, seeds: readonly number[]): ReadonlyMap<string, readonly Float32Array[]> =>
  ofEach((peer) => seeds.map((seed) => readScores(runOnce(peer, job, seed), job.count - job.judgedFrom)))

/** A score per row of B of each peer that can be had here. */
export const peerScores = ({ rows, training }: Evaluated): ReadonlyMap<string, Float32Array> => {
  const trained = training.length / FEATURE_COUNT
  const all = new Float32Array(training.length + rows.length * FEATURE_COUNT)
  all.set(training)
  rows.forEach(({ features }, i) => all.set(features, training.length + i * FEATURE_COUNT))
  const job = { file: join(CACHE, 'scoreboard.f32'), from: 0, judgedFrom: trained, count: trained + rows.length }
  writeFileSync(job.file, new Uint8Array(all.buffer))
  return ofEach((peer) => readScores(run(peer, job, join(CACHE, 'scoreboard-scores.f32'), PEER_SEED), rows.length))
}

/** Peers without a row, and why. */
export const peersLeftOut = (): readonly string[] =>
  Object.entries(PEERS).flatMap(([name, { environment }]) => {
    const why = missing(environment)
    return why === null ? [] : [`${name}: left out, ${why}.`]
  })
