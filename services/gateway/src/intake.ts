import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import rateLimit from '@fastify/rate-limit'
import underPressure from '@fastify/under-pressure'
import { PlumblineError } from '@plumbline/schemas'
import type { Metrics } from '@plumbline/runtime'
import { type Authenticate, type Credential, tokenWords } from './credentials.ts'
import { inflate } from './inflate.ts'

export interface IntakeLimits {
  /** Body as sent, bytes. Default 8 MiB. */
  readonly bodyBytes: number
  /** Body unpacked, bytes. Default 32 MiB. */
  readonly inflatedBytes: number
  /** Bytes of all requests under way; beyond it new ones get 503. Default 128 MiB. */
  readonly inflightBytes: number
  /** Events per request. Default 10,000. */
  readonly eventsPerRequest: number
  /** Requests per second and credential. Default 2,000. */
  readonly requestsPerSecond: number
  /** Requests per second and address without a good token. Default 20. */
  readonly strangersPerSecond: number
  /** Above this delay of the event loop new requests get 503, ms. Default 2,000. */
  readonly loopDelayMs: number
}

export const INTAKE_LIMITS: IntakeLimits = {
  bodyBytes: 8 * 1024 * 1024,
  inflatedBytes: 32 * 1024 * 1024,
  inflightBytes: 128 * 1024 * 1024,
  eventsPerRequest: 10_000,
  requestsPerSecond: 2000,
  strangersPerSecond: 20,
  loopDelayMs: 2000,
}

export interface Intake {
  /** The credential of an admitted request. */
  credentialOf(request: FastifyRequest): Credential
  /** The body, unpacked within the limits. */
  bodyOf(request: FastifyRequest, reply: FastifyReply): Promise<Uint8Array>
}

export interface IntakeOptions {
  readonly authenticate: Authenticate
  readonly limits: IntakeLimits
  readonly metrics: Pick<Metrics, 'plumbline_ingest_inflight_bytes' | 'plumbline_ingest_bytes_total'>
  /** Why nothing can be taken in at present (like a full disk or a backlog), or undefined. Asked for every request. */
  readonly pressure?: (() => string | undefined) | undefined
}

/**
 * What every ingest request goes through before its body is read: credential, rate, load, memory.
 * Call on a scope of its own; its hooks apply to the routes of that scope.
 */
export const guardIntake = async (app: FastifyInstance, options: IntakeOptions): Promise<Intake> => {
  const { limits, metrics } = options
  const credentials = new WeakMap<FastifyRequest, Credential>()
  let inflight = 0
  const hold = (bytes: number, reply: FastifyReply): void => {
    if (inflight + bytes > limits.inflightBytes)
      throw new PlumblineError('OVERLOADED', 'Too many bytes are under way.', { retryable: true })
    inflight += bytes
    metrics.plumbline_ingest_inflight_bytes.set(inflight)
    reply.raw.once('close', () => {
      inflight -= bytes
      metrics.plumbline_ingest_inflight_bytes.set(inflight)
    })
  }

  app.addHook('onRequest', async (request) => {
    const credential = options.authenticate(request.headers.authorization)
    if (credential !== undefined) credentials.set(request, credential)
  })
  await app.register(rateLimit, {
    timeWindow: 1000,
    cache: 20_000,
    // Strangers are counted for the whole service, before any of its routes.
    allowList: (request) => !credentials.has(request),
    keyGenerator: (request) => credentials.get(request)?.id ?? '',
    max: limits.requestsPerSecond,
  })
  await app.register(underPressure, { maxEventLoopDelay: limits.loopDelayMs, retryAfter: 1 })
  // Not onRequest: too many requests are refused first, whatever token they bring.
  app.addHook('preParsing', async (request, reply, payload) => {
    if (!credentials.has(request)) {
      reply.header('www-authenticate', 'Bearer')
      throw new PlumblineError('TOKEN_MISSING_OR_WRONG', tokenWords(request.headers.authorization))
    }
    const reason = options.pressure?.()
    if (reason !== undefined) throw new PlumblineError('OVERLOADED', reason, { retryable: true })
    // A body without a stated length may be as long as the limit.
    const stated = Number(request.headers['content-length'] ?? limits.bodyBytes)
    if (stated > limits.bodyBytes) throw new PlumblineError('BODY_TOO_LARGE', `The body is larger than ${limits.bodyBytes} bytes.`)
    hold(stated, reply)
    return payload
  })

  return {
    credentialOf: (request) => credentials.get(request) as Credential,
    async bodyOf(request, reply) {
      const body = request.body as Buffer | undefined
      if (body === undefined || body.length === 0) throw new PlumblineError('BODY_EMPTY', 'The request has no body.')
      metrics.plumbline_ingest_bytes_total.inc(body.length)
      const unpacked = await inflate(body, request.headers['content-encoding'], limits.inflatedBytes)
      if (unpacked !== body) hold(unpacked.length, reply)
      return unpacked
    },
  }
}
