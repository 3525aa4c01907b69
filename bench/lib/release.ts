import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CATALOGUE_HASH, configHash, DETECTOR_VERSION, sha256Hex, unpackRelease } from '@plumbline/detector'
import { DEFAULT_DETECTION_CONFIG } from '@plumbline/schemas'
import { Learner } from '../../services/cli/src/evaluate/learner.ts'
import { type Corpus, eventBytes } from './corpus.ts'
import { CACHE, hashOf, sourceHash } from './paths.ts'

export const CONFIG = DEFAULT_DETECTION_CONFIG
export const MASTER_KEY = new Uint8Array(16).fill(7)

export interface TrainedRelease {
  readonly id: string
  readonly sha256: string
  readonly bytes: Uint8Array
  /** The control record that puts it into use. */
  readonly control: { readonly controlId: string }
}

/** An artifact with the control record that puts it into use. */
export const described = (bytes: Uint8Array): TrainedRelease => {
  const { header } = unpackRelease(bytes)
  const sha256 = sha256Hex(bytes)
  const control = { v: 1, type: 'release', controlId: `release:${header.id}`, tenant: header.tenant, releaseId: header.id, sha256 }
  return { id: header.id, sha256, bytes, control }
}

/**
 * The release that a deployment would train on the first `events` of a corpus: statistics at each doubling, then the net.
 * Kept until anything that shapes vectors or training changes.
 */
export const releaseOf = async (corpus: Corpus, events: number): Promise<TrainedRelease> => {
  const made = sourceHash(
    'packages/training/src',
    'packages/detector/src/3-features',
    'packages/detector/src/4-baseline',
    'packages/detector/src/6-score',
  )
  const key = hashOf(corpus.bytes.length, corpus.count, events, CATALOGUE_HASH, DETECTOR_VERSION, configHash(CONFIG), made)
  const path = join(CACHE, `release-${key}.bin`)
  if (existsSync(path)) return described(readFileSync(path))
  process.stderr.write(`training a release on ${events} events …\n`)
  const learner = new Learner({ config: CONFIG, masterKey: MASTER_KEY, trains: false })
  for (let i = 0; i < events; i++) {
    const identity = corpus.identities[corpus.identityOf[i]!]!
    learner.instance.append({ tenant: 'default', identity, timeMs: corpus.times[i]!, bytes: eventBytes(corpus, i) })
    if (learner.instance.due) await learner.step()
  }
  await learner.step()
  const id = await learner.train('default')
  const bytes = learner.instance.artifactOf(id)!
  writeFileSync(`${path}.part`, bytes)
  renameSync(`${path}.part`, path)
  return described(bytes)
}
