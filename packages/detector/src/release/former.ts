import { FEATURE_COUNT, FEATURES } from '@plumbline/schemas'
import type { AutoencoderParameters } from '../5-autoencoder/layout.ts'
import { CATALOGUE_HASH } from '../version.ts'

/**
 * Feature catalogues of earlier versions whose releases still run (contracts C8: N and N−1), by hash, with the features of today
 * that they did not have: something else stood in their place.
 */
const FORMER: ReadonlyMap<string, readonly string[]> = new Map([
  // Detector 1.0.0. Its sum of surprise also counted `firsts_hour`, and `resource_first` in full: it comes out a little lower now.
  ['d5237d2b7a817e4e8aac23d56d1c8152389f03612d398f881cc5769b45ed2329', ['destination_lured', 'arguments_own', 'role_swap', 'action_again']],
  // Detector 1.1.0.
  ['add2eb056d72c5a1f7823edeb74fa2056ff146a288b137f5377d4f05974890f4', ['role_swap', 'action_again']],
])

/** Whether a release that was made for this catalogue can score here. */
export const runsHere = (catalogueHash: string): boolean => catalogueHash === CATALOGUE_HASH || FORMER.has(catalogueHash)

/** Whether a release runs only without some of today's features, so that a new one is wanted soon. */
export const isFormer = (catalogueHash: string): boolean => FORMER.has(catalogueHash)

/** Indexes of the features that a release of this catalogue knows nothing of. */
export const unknownTo = (catalogueHash: string): readonly number[] =>
  (FORMER.get(catalogueHash) ?? []).map((name) => FEATURES.findIndex((f) => f.name === name))

const without = (values: Float32Array, features: readonly number[], value: number): Float32Array => {
  const out = values.slice()
  for (const f of features) for (let at = f; at < out.length; at += FEATURE_COUNT) out[at] = value
  return out
}

/**
 * The net of a release without the features it knows nothing of: they enter it at their centre and have no part in its error.
 * `parameters` unchanged where it knows all.
 */
export const netWithout = (parameters: AutoencoderParameters, features: readonly number[]): AutoencoderParameters =>
  features.length === 0
    ? parameters
    : {
        ...parameters,
        mean: without(parameters.mean, features, 0),
        invStd: without(parameters.invStd, features, 0),
        residualScale: without(parameters.residualScale, features, 0),
      }

/** What is usual, with no amount of the features that a release knows nothing of being unusual. */
export const usualWithout = (typical: Float32Array, features: readonly number[]): Float32Array =>
  features.length === 0 ? typical : without(typical, features, Number.POSITIVE_INFINITY)
