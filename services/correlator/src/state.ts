import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { PlumblineError } from '@plumbline/schemas'

/** Named value that holds everything. */
export const STATE = 'correlator:state'

/** How far the lanes are read, and what came of it: stored together, with the incidents, so that nothing is told twice or lost. */
export interface Stored {
  /** Counts the times it was stored; names the request. */
  readonly saves: number
  readonly scored: readonly number[]
  readonly alerts: number
  /** Newest arrival by shard, ms. */
  readonly arrivals: readonly (readonly [number, number])[]
  readonly core: string
}

const VERSION = 1

export const packState = (stored: Stored): Uint8Array => deflateRawSync(JSON.stringify({ v: VERSION, ...stored }), { level: 1 })

/** Error: CORRELATOR_STATE_VERSION. */
export const unpackState = (bytes: Uint8Array): Stored => {
  const found = JSON.parse(inflateRawSync(bytes).toString()) as Stored & { readonly v: number }
  if (found.v === VERSION) return found
  throw new PlumblineError(
    'CORRELATOR_STATE_VERSION',
    `What the correlator stored is of version ${found.v}; this build reads version ${VERSION}. Start the newer Plumbline that wrote it.`,
  )
}
