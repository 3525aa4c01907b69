import { createHash, timingSafeEqual } from 'node:crypto'
import type { IdentityKind } from '@plumbline/schemas'

/** A token and what it proves. */
export interface Credential {
  /** Names the credential in logs and metrics; not secret. */
  readonly id: string
  readonly token: string
  /** Every event sent with it belongs to this tenant. */
  readonly tenant?: string
  /** Every event sent with it is this identity's: nobody else can speak for it, and it for nobody else (B10). */
  readonly identity?: { readonly id: string; readonly kind: IdentityKind }
  /** A collector that proved identities itself: what it says in `identity.attested` is kept. */
  readonly relays?: boolean
}

export type Authenticate = (authorization: string | undefined) => Credential | undefined

const MAX_HEADER_CHARS = 1024
/** Why a request is let in no further: says what came, for whoever set the sender up. */
export const tokenWords = (authorization: string | undefined): string => {
  if (authorization === undefined || authorization.trim() === '') return 'This address needs a token.'
  return /^Bearer +\S+ *$/i.test(authorization)
    ? 'The token is wrong.'
    : 'The Authorization header is there, but it is not "Bearer" and a token.'
}

const digest = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest()

/** Looks a bearer token up in time that depends neither on the token nor on which credential it is. */
export const createAuthenticator = (credentials: readonly Credential[]): Authenticate => {
  const known = credentials.map((credential) => ({ credential, hash: digest(credential.token) }))
  return (authorization) => {
    if (authorization === undefined || authorization.length > MAX_HEADER_CHARS) return undefined
    const match = /^Bearer +([^\s]+) *$/i.exec(authorization)
    if (match === null) return undefined
    const presented = digest(match[1] as string)
    let found: Credential | undefined
    for (const { credential, hash } of known) if (timingSafeEqual(hash, presented)) found = credential
    return found
  }
}
