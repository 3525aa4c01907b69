import { PlumblineError } from '@plumbline/schemas'
import { checkParameters, type AutoencoderParameters } from './layout.ts'
import { createPlain } from './plain.ts'
import { createWasm, wasmAvailable } from './wasm.ts'

export { ERROR_CAP, INPUT_CAP, weightCount, type AutoencoderParameters } from './layout.ts'

/** A net ready to score, one row at a time. Not re-entrant: `input` and `errors` are the net's own memory. */
export interface Autoencoder {
  readonly width: number
  /** Write the raw (not standardised) features of one row here. Not finite values count as the lower bound. */
  readonly input: Float32Array
  /** After `run`: whitened squared error per feature, 0 to ERROR_CAP; about 1 where the feature is as usual. */
  readonly errors: Float32Array
  /** Scores the row in `input`. Mean whitened squared error over the active features, 0 to ERROR_CAP. */
  run(): number
}

/**
 * Makes a net ready. `wasm` (default where the engine has SIMD) and `plain` give the same bits (contracts C3).
 * Throws `AUTOENCODER_INVALID` for parameters that do not fit together, `AUTOENCODER_UNSUPPORTED` when `wasm` is asked for and missing.
 */
export const createAutoencoder = (parameters: AutoencoderParameters, kernel?: 'wasm' | 'plain'): Autoencoder => {
  checkParameters(parameters)
  const choice = kernel ?? (wasmAvailable() ? 'wasm' : 'plain')
  if (choice === 'plain') return createPlain(parameters)
  if (!wasmAvailable()) throw new PlumblineError('AUTOENCODER_UNSUPPORTED', 'This engine has no WebAssembly SIMD. Use the plain kernel.')
  return createWasm(parameters)
}
