import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { keyIdOf, unpackRelease } from '@plumbline/detector/release'
import { PlumblineError, type ReleaseEnvelope } from '@plumbline/schemas'

/** An Ed25519 key that signs releases. Keep `privateKey` (PKCS #8, DER) secret; `publicKey` (SPKI, DER) is what workers trust. */
export interface SigningKey {
  readonly keyId: string
  readonly privateKey: Uint8Array
  readonly publicKey: Uint8Array
}

export const generateSigningKey = (): SigningKey => {
  const { privateKey } = generateKeyPairSync('ed25519')
  return loadSigningKey(new Uint8Array(privateKey.export({ format: 'der', type: 'pkcs8' })))
}

/** Reads a private key from its PKCS #8 DER bytes. Throws `RELEASE_KEY_INVALID` for anything but Ed25519. */
export const loadSigningKey = (pkcs8: Uint8Array): SigningKey => {
  try {
    const key = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
    if (key.asymmetricKeyType !== 'ed25519') throw new TypeError(`a key of type ${key.asymmetricKeyType}`)
    const publicKey = new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' }))
    return { keyId: keyIdOf(publicKey), privateKey: new Uint8Array(pkcs8), publicKey }
  } catch (cause) {
    throw new PlumblineError('RELEASE_KEY_INVALID', 'The signing key is not an Ed25519 private key (PKCS #8, DER).', { cause })
  }
}

/** Signs an artifact. It is read back first, so that nothing invalid is ever signed. */
export const signRelease = (bytes: Uint8Array, key: SigningKey): ReleaseEnvelope => {
  const { header, sha256 } = unpackRelease(bytes)
  const privateKey = createPrivateKey({ key: Buffer.from(key.privateKey), format: 'der', type: 'pkcs8' })
  return { v: 1, id: header.id, sha256, keyId: key.keyId, signature: sign(null, bytes, privateKey).toString('base64') }
}
