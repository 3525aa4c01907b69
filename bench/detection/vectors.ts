import { createHash } from 'node:crypto'
import { readEvents } from '@plumbline/adapters/files'
import { canonicalEvent, sumSurprise, unpackRelease } from '@plumbline/detector'
import { DEFAULT_DETECTION_CONFIG, FEATURE_COUNT, FEATURES } from '@plumbline/schemas'
import { Learner } from '../../services/cli/src/evaluate/learner.ts'

/** An event of B as it was scored, with what the parts of the score were. */
export interface Scored {
  readonly session: string
  readonly score: number
  readonly surprise: number
  readonly reconstruction: number
  readonly features: Float32Array
}

export interface Evaluated {
  readonly rows: readonly Scored[]
  /** Vectors of A, one after the other, that a model may be trained on. */
  readonly training: Float32Array
  /** What the release calls usual, by which surprises are summed. */
  readonly typical: Float32Array
}

/** The key that names are hashed with: which of them collide depends on it. */
export const masterKeyOf = (seed: number): Uint8Array =>
  createHash('sha256').update(`plumbline bench, seed ${seed}`).digest().subarray(0, 16)

type Row = Scored & { readonly offset: number }

/** `plumbline evaluate --train A --test B` with the vectors kept. Sessions of A and B must differ by name. One tenant. */
export const evaluateVectors = async (train: string, test: string, learn: 'frozen' | 'online', seed = 0): Promise<Evaluated> => {
  const learner = new Learner({ config: DEFAULT_DETECTION_CONFIG, masterKey: masterKeyOf(seed), trains: false })
  const { instance } = learner
  const append = async (path: string, drain: () => unknown, suffix: string): Promise<void> => {
    for await (const record of readEvents(path)) {
      if (!record.ok) throw new Error(`${path}: ${record.rejection.code}`)
      const { event } = record
      const bytes = canonicalEvent(event.session === undefined ? event : { ...event, session: `${suffix}${event.session}` })
      instance.append({ tenant: event.tenant, identity: event.identity.id, timeMs: event.time, bytes })
      if (instance.due) await drain()
    }
    await drain()
  }
  await append(train, () => learner.step(), 'A ')
  const tenants = [...learner.histories.keys()]
  if (tenants.length !== 1) throw new Error(`${train} has ${tenants.length} tenants`)
  const training = learner.histories.get(tenants[0]!)!.forTraining.rows.slice()
  const release = await learner.train(tenants[0]!)
  instance.flush()
  if (learn === 'frozen') instance.freeze()
  const rows: Scored[] = []
  const keep = (): void => {
    for (const { session, score, surprise, reconstruction, features } of instance.flush().rows as unknown as readonly Row[])
      rows.push({ session: session.slice(2), score, surprise, reconstruction, features: features.slice() })
  }
  await append(test, keep, 'B ')
  return { rows, training, typical: unpackRelease(instance.artifactOf(release)!).section('typical') }
}

/** Parts of the sum of surprise that a row of the board leaves out, by the names of their features. */
export const PARTS: Readonly<Record<string, (name: string, source: string) => boolean>> = {
  'own baseline': (_, source) => source === 'own' || source === 'window' || source === 'session',
  'peer baseline': (_, source) => source === 'peer',
  'global baseline': (_, source) => source === 'global',
  sequence: (name) => name.startsWith('transition_'),
  destination: (name) => name.startsWith('destination_'),
  provenance: (name) => name === 'destination_lured' || name === 'arguments_own',
}

/** The sum of surprise of a row without the features that `leftOut` names. */
export const surpriseWithout = ({ features }: Scored, typical: Float32Array, leftOut: (typeof PARTS)[string]): number => {
  const contributions = new Float32Array(FEATURE_COUNT)
  sumSurprise(features, typical, contributions)
  return contributions.reduce((sum, c, i) => sum + (leftOut(FEATURES[i]!.name, FEATURES[i]!.source) ? 0 : c), 0)
}
