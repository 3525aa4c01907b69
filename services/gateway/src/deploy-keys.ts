import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { inWords, PlumblineError, TenantName } from '@plumbline/schemas'
import { z } from 'zod'

/** Name of a deploy key: what a request says it is signed with, and what the audit log names. */
export const DeployKeyId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'must be letters, digits, dots, dashes, at most 64')

/** Ed25519 in SPKI: a head of twelve bytes, then the key. */
const SPKI_BYTES = 44

const publicKey = z.string().refine((text) => keyIn(text) !== undefined, 'must be an Ed25519 public key: SPKI, DER, base64')

/** Who may announce changes, and of which tenant. Holds nothing secret. */
export const DeployKeyFile = z.strictObject({
  keys: z.array(z.strictObject({ id: DeployKeyId, tenant: TenantName, publicKey })).max(1000),
})
export type DeployKeyFile = z.infer<typeof DeployKeyFile>
export type DeployKey = DeployKeyFile['keys'][number]

const keyIn = (text: string): KeyObject | undefined => {
  try {
    const der = Buffer.from(text, 'base64')
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' })
    return key.asymmetricKeyType === 'ed25519' && der.length === SPKI_BYTES ? key : undefined
  } catch {
    return undefined
  }
}

const invalid = (path: string, why: string): PlumblineError =>
  new PlumblineError(
    'DEPLOY_KEYS_INVALID',
    `The deploy keys in ${path} cannot be used: ${why}. Correct the file, or make it anew with plumbline changes key.`,
  )

/** The registered keys; none where there is no such file. Errors: DEPLOY_KEYS_INVALID. */
export const readDeployKeys = async (path: string): Promise<readonly DeployKey[]> => {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw invalid(path, (error as NodeJS.ErrnoException).code ?? 'it cannot be read')
  }
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw invalid(path, 'it is not JSON')
  }
  const parsed = DeployKeyFile.safeParse(json, { error: inWords })
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw invalid(path, `${issue?.path.join('.') ?? ''} ${issue?.message ?? 'is wrong'}`.trim())
  }
  const { keys } = parsed.data
  const twice = keys.find(({ id }, i) => keys.findIndex((other) => other.id === id) !== i)
  if (twice !== undefined) throw invalid(path, `${twice.id} is there twice`)
  return keys
}

/** An Ed25519 signature, base64 with or without padding, also in the alphabet of addresses. */
const SIGNATURE = /^[A-Za-z0-9+/_-]{86}(?:==)?$/

/** The key that signed the body, as the request says and the signature proves; undefined where it does not. */
export const signerOf = (
  keys: readonly DeployKey[],
  body: Uint8Array,
  { keyId, signature }: { readonly keyId: unknown; readonly signature: unknown },
): DeployKey | undefined => {
  if (typeof keyId !== 'string' || typeof signature !== 'string' || !SIGNATURE.test(signature)) return undefined
  const key = keys.find(({ id }) => id === keyId)
  const publicKey = key === undefined ? undefined : keyIn(key.publicKey)
  if (publicKey === undefined) return undefined
  return verify(null, body, publicKey, Buffer.from(signature, 'base64url')) ? key : undefined
}
