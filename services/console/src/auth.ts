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

/** A token of the read API. */
export interface Reader {
  readonly token: string
  /** The tenant it is bound to: it reads this one and the demo, which is everybody's. Absent: it reads every tenant. */
  readonly tenant?: string
}

const REFUSAL: ApiError = {
  code: 'TOKEN_MISSING_OR_WRONG',
  message: 'This address needs a token.',
  remedy: 'Send "Authorization: Bearer <token>". The token and a link that carries it are printed when the service starts.',
}

export interface ReaderGate {
  /** Lets a request through whose token is good. Tokens are read from the header only: addresses end up in logs and histories. */
  readonly onRequest: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>
  /** Who sent a request that was let through. */
  readonly readerOf: (request: FastifyRequest) => Reader
}

export function createReaderGate(readers: readonly Reader[]): ReaderGate {
  const checks = readers.map((reader) => ({ reader, check: tokenCheck(reader.token) }))
  const known = new WeakMap<FastifyRequest, Reader>()
  return {
    onRequest: async (request, reply) => {
      const presented = /^Bearer +([^\s]{1,512})$/i.exec(request.headers.authorization ?? '')?.[1]
      // Every token is compared, so that the time says nothing of which one is close.
      const [found] = presented === undefined ? [] : checks.filter(({ check }) => check(presented))
      if (found === undefined) {
        const message = presented === undefined ? REFUSAL.message : 'The token is wrong.'
        return reply
          .code(401)
          .header('www-authenticate', 'Bearer')
          .send({ ...REFUSAL, message })
      }
      known.set(request, found.reader)
      return undefined
    },
    readerOf: (request) => known.get(request) as Reader,
  }
}
