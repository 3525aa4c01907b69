import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ApiError } from '@plumbline/schemas'

/** True when the presented bearer token is good. Takes the same time for every wrong one. */
export type TokenCheck = (presented: string) => boolean

const digest = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest()

export function tokenCheck(secret: string): TokenCheck {
  const expected = digest(secret)
  return (presented) => timingSafeEqual(digest(presented), expected)
}

const REFUSAL: ApiError = {
  code: 'TOKEN_MISSING_OR_WRONG',
  message: 'This address needs a token.',
  remedy: 'Send "Authorization: Bearer <token>". The token and a link that carries it are printed when the service starts.',
}

/** Tokens are read from the header only: addresses end up in logs and histories. */
export function requireToken(check: TokenCheck) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const presented = /^Bearer +([^\s]{1,512})$/i.exec(request.headers.authorization ?? '')?.[1]
    if (presented !== undefined && check(presented)) return undefined
    return reply.code(401).header('www-authenticate', 'Bearer').send(REFUSAL)
  }
}
