import { createHash } from 'node:crypto'
import rateLimit from '@fastify/rate-limit'
import { type ChangeAnswer, ChangeRequest, inWords, PlumblineError } from '@plumbline/schemas'
import type { FastifyInstance } from 'fastify'
import { type DeployKey, signerOf } from './deploy-keys.ts'

/** Where announced changes go, and who may announce them. */
export interface ChangesPort {
  /** The keys that are registered now; none while nobody may. */
  keys(): Promise<readonly DeployKey[]>
  /** Resolves once every shard has it. Errors: CHANGE_INVALID, CHANGE_ID_REUSED, CHANGES_FULL, and those of the log. */
  announce(by: DeployKey, request: ChangeRequest & { readonly id: string }): Promise<ChangeAnswer>
}

export interface ChangesRouteOptions {
  readonly changes: ChangesPort
  /** Why nothing can be taken in at present, or undefined. */
  readonly pressure?: (() => string | undefined) | undefined
}

/** Refusals of what is announced; whatever else goes wrong is the log's, and passes. */
const OWN = new Set(['CHANGE_INVALID', 'CHANGE_ID_REUSED', 'CHANGES_FULL'])
const BODY_BYTES = 32 * 1024
/** Deploys a second from one address. */
const PER_SECOND = 20

const parse = (body: Buffer): ChangeRequest => {
  let json: unknown
  try {
    json = JSON.parse(body.toString())
  } catch {
    throw new PlumblineError('CHANGE_INVALID', 'The body is not JSON.')
  }
  const parsed = ChangeRequest.safeParse(json, { error: inWords })
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const field = issue?.path.join('.') ?? ''
  throw new PlumblineError('CHANGE_INVALID', `${field === '' ? 'The body' : field}: ${issue?.message ?? 'invalid'}.`)
}

/**
 * POST /v1/changes: a deploy job says what it is about to change. The signature over the body, by a key that the operator
 * registered, is all that counts: the token of a sender opens nothing here, and a captured request says only what it said.
 */
export const changesRoute = async (app: FastifyInstance, { changes, pressure }: ChangesRouteOptions): Promise<void> => {
  await app.register(rateLimit, { timeWindow: 1000, max: PER_SECOND, cache: 20_000 })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: BODY_BYTES }, (_request, body, done) => done(null, body))
  app.post('/v1/changes', { bodyLimit: BODY_BYTES }, async (request, reply) => {
    const reason = pressure?.()
    if (reason !== undefined) throw new PlumblineError('OVERLOADED', reason, { retryable: true })
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
    const keys = await changes.keys().catch((cause: unknown) => {
      throw new PlumblineError('DEPLOY_KEYS_INVALID', 'The deploy keys cannot be read.', { cause })
    })
    if (keys.length === 0) throw new PlumblineError('CHANGES_CLOSED', 'No deploy key is registered here, so nobody may announce changes.')
    const { 'plumbline-key': keyId, 'plumbline-signature': signature } = request.headers
    const by = signerOf(keys, body, { keyId, signature })
    if (by === undefined) throw new PlumblineError('SIGNATURE_MISSING_OR_WRONG', signatureWords(keyId, signature))
    const parsed = parse(body)
    const id = parsed.id ?? createHash('sha256').update(body).digest('hex').slice(0, 32)
    const answer = await changes.announce(by, { ...parsed, id }).catch((cause: unknown) => {
      if (cause instanceof PlumblineError && OWN.has(cause.code)) throw cause
      throw new PlumblineError('CHANGE_UNSTORED', 'The log did not take it, or did not say so.', { retryable: true, cause })
    })
    return reply.code(answer.state === 'known' ? 200 : 201).send(answer)
  })
}

/** Says what came, and nothing of which keys there are. */
const signatureWords = (keyId: unknown, signature: unknown): string =>
  keyId === undefined || signature === undefined
    ? `The ${keyId === undefined ? 'Plumbline-Key' : 'Plumbline-Signature'} header is missing.`
    : 'The signature is not of this body by a key of that name.'
