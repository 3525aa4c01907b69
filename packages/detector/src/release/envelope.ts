import { createPublicKey, verify, type KeyObject } from 'node:crypto'
import { PlumblineError, ReleaseEnvelope } from '@plumbline/schemas'
import { sha256Hex, unpackRelease, type Release } from './pack.ts'

const refuse = (code: string, message: string, cause?: unknown): never => {
  throw new PlumblineError(code, message, { cause })
}

/** Short name of a public key: 16 hex digits of the SHA-256 of its SPKI (DER) bytes. */
export const keyIdOf = (publicKey: Uint8Array): string => sha256Hex(publicKey).slice(0, 16)

const ed25519 = (spki: Uint8Array): KeyObject => {
  let key: KeyObject | undefined
  try {
    key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
  } catch (cause) {
    refuse('RELEASE_KEY_INVALID', 'The public key cannot be read.', cause)
  }
  if (key?.asymmetricKeyType !== 'ed25519') return refuse('RELEASE_KEY_INVALID', 'The public key is not an Ed25519 key.')
  return key
}

/** What the reader already knows and holds the release to. */
export interface ReleaseExpectation {
  /** Public keys that may sign, as SPKI (DER) bytes. */
  readonly trustedKeys: readonly Uint8Array[]
  readonly tenant?: string
  /** Sequence of the release now in force; the new one must be higher. */
  readonly afterSequence?: number
}

/**
 * Reads an artifact only when a trusted key signed exactly these bytes.
 * Throws `RELEASE_UNSIGNED`, `RELEASE_HASH`, `RELEASE_KEY_UNKNOWN`, `RELEASE_KEY_INVALID`, `RELEASE_SIGNATURE`, `RELEASE_ID`,
 * `RELEASE_TENANT`, `RELEASE_ROLLBACK`, and what `unpackRelease` throws.
 */
export const openRelease = (bytes: Uint8Array, envelope: unknown, expected: ReleaseExpectation): Release => {
  const parsed = ReleaseEnvelope.safeParse(envelope)
  if (!parsed.success) return refuse('RELEASE_UNSIGNED', 'The release has no valid envelope.', parsed.error)
  const { id, sha256, keyId, signature } = parsed.data
  if (sha256Hex(bytes) !== sha256) refuse('RELEASE_HASH', `The bytes of release ${id} are not those its envelope names.`)
  const key = expected.trustedKeys.find((k) => keyIdOf(k) === keyId)
  if (key === undefined) return refuse('RELEASE_KEY_UNKNOWN', `Release ${id} is signed by ${keyId}, which is not trusted here.`)
  const signatureBytes = Buffer.from(signature, 'base64')
  // Decoding ignores stray characters; only the one canonical spelling of a signature is taken.
  if (signatureBytes.toString('base64') !== signature || !verify(null, bytes, ed25519(key), signatureBytes)) {
    refuse('RELEASE_SIGNATURE', `The signature of release ${id} does not fit its bytes.`)
  }
  const release = unpackRelease(bytes)
  if (release.header.id !== id) refuse('RELEASE_ID', `The envelope names release ${id}, the artifact ${release.header.id}.`)
  if (expected.tenant !== undefined && release.header.tenant !== expected.tenant)
    refuse('RELEASE_TENANT', `Release ${id} belongs to another tenant.`)
  if (expected.afterSequence !== undefined && release.header.sequence <= expected.afterSequence) {
    refuse('RELEASE_ROLLBACK', `Release ${id} has sequence ${release.header.sequence}; ${expected.afterSequence} is already in force.`)
  }
  return release
}
