import type { ReleaseEnvelope } from '@plumbline/schemas'
import type { KeyValue } from '../deployment.ts'
import type { ReleaseSource } from '../ports.ts'
import { keyIdOf, openRelease } from './envelope.ts'

/** Names under which a deployment keeps an artifact and its signed envelope, by the artifact's hash. */
export const releaseNames = (sha256: string): { readonly artifact: string; readonly envelope: string } => ({
  artifact: `release:artifact:${sha256}`,
  envelope: `release:envelope:${sha256}`,
})

const SIGNER = 'release:signer:'

/** Makes a public key (SPKI, DER) known to all processes of a deployment. Resolves once it survives a crash; known ones cost nothing. */
export const announceSigner = async (kv: KeyValue, publicKey: Uint8Array): Promise<void> => {
  const name = SIGNER + keyIdOf(publicKey)
  if (kv.get(name) === undefined) await kv.put({ [name]: publicKey })
}

/** Public keys that were made known. Who may write named values decides what is trusted: see docs/security.md. */
export const knownSigners = (kv: KeyValue): readonly Uint8Array[] => kv.list(SIGNER).flatMap((name) => kv.get(name) ?? [])

const parsed = (bytes: Uint8Array): ReleaseEnvelope => JSON.parse(Buffer.from(bytes).toString()) as ReleaseEnvelope

/** Releases among the named values of a deployment. `trustedKeys`: public keys (SPKI, DER) whose signature is taken, asked for at each load. */
export const createReleaseSource = (kv: KeyValue, trustedKeys: () => readonly Uint8Array[]): ReleaseSource => ({
  artifact(releaseId, sha256) {
    const names = releaseNames(sha256)
    const [stored, wrapped] = [kv.get(names.artifact), kv.get(names.envelope)]
    if (stored === undefined || wrapped === undefined) return undefined
    const envelope = parsed(wrapped)
    if (envelope.id !== releaseId || envelope.sha256 !== sha256) return undefined
    const bytes = new Uint8Array(stored)
    // Verified at each load: a file altered on disk must not score.
    openRelease(bytes, envelope, { trustedKeys: trustedKeys() })
    return bytes
  },
})
