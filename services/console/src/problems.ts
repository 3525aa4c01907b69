import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { z } from 'zod'
import { inWords, PlumblineError, type ApiError } from '@plumbline/schemas'

interface Known {
  readonly status: number
  readonly remedy: string
}

/** Refusals by code. A code that is not listed is our fault: 500, or 503 when trying again can help. */
export const KNOWN: Readonly<Record<string, Known>> = {
  REQUEST_INVALID: { status: 400, remedy: 'Correct the field that the message names.' },
  CURSOR_INVALID: { status: 400, remedy: 'Leave the cursor out and start from the first page.' },
  TENANT_FORBIDDEN: { status: 403, remedy: 'Leave the tenant out, or use a token that reads it.' },
  NOT_FOUND: {
    status: 404,
    remedy: 'Check the id, and the tenant where the address has one. Very new things may take a second to appear.',
  },
  STREAMS_FULL: { status: 503, remedy: 'Close other pages that watch the alerts, or ask GET /v1/alerts now and then.' },
  REPLAY_PENDING: { status: 404, remedy: 'Try again in a few seconds; after the retention time there is none any more.' },
  REPLAY_INCOMPLETE: { status: 409, remedy: 'Ask the instance that made the alert, or restore its log from a backup.' },
  REPLAY_VERSION_UNSUPPORTED: { status: 409, remedy: 'Run the build that the message names on a copy of the data folder.' },
  BLIND_SPOTS_BUSY: { status: 503, remedy: 'Try again in a few seconds, or ask without `measure` for what was found last.' },
  DEMO_ABSENT: { status: 409, remedy: 'The demo was switched off or removed. Send real events instead.' },
  DEMO_BUSY: { status: 409, remedy: 'Wait until the demo day has been replayed, then try again.' },
  DEMO_UNKNOWN: { status: 400, remedy: 'Choose from GET /v1/demo/options.' },
}

export const notFound = (what: string): PlumblineError => new PlumblineError('NOT_FOUND', `There is no such ${what}.`)

/** @throws PlumblineError REQUEST_INVALID naming the first wrong field, never its value. */
export function parse<T extends z.ZodType>(schema: T, input: unknown, where: 'query' | 'body'): z.output<T> {
  const result = schema.safeParse(input ?? {}, { error: inWords })
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const field = issue === undefined ? '' : issue.path.join('.')
  throw new PlumblineError('REQUEST_INVALID', `${where}${field === '' ? '' : `.${field}`}: ${issue?.message ?? 'invalid'}`)
}

/** Turns what a handler threw into the one shape of refusals. Details of our own failures go to the log only. */
export function answerProblem(error: FastifyError | PlumblineError | Error, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (error instanceof PlumblineError) {
    const known = KNOWN[error.code]
    if (known !== undefined)
      return reply.code(known.status).send({ code: error.code, message: error.message, remedy: known.remedy } satisfies ApiError)
    // What passes by itself is told without a stack: a page asks again and again while the store is away.
    if (error.retryable) request.log.warn({ code: error.code, reason: error.message }, 'request failed, may be tried again')
    else request.log.error({ err: error }, 'request failed')
    const body: ApiError = error.retryable
      ? { code: error.code, message: 'The store cannot answer right now.', remedy: 'Try again in a few seconds; nothing is lost.' }
      : { code: error.code, message: 'The request failed inside the service.', remedy: 'See the log of the service.' }
    return reply.code(error.retryable ? 503 : 500).send(body)
  }
  const status = 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : 500
  if (status < 500) {
    return reply.code(status).send({ code: 'REQUEST_INVALID', message: error.message, remedy: 'Correct the request.' } satisfies ApiError)
  }
  request.log.error({ err: error }, 'request failed')
  return reply
    .code(status)
    .send({ code: 'INTERNAL', message: 'The request failed inside the service.', remedy: 'See the log of the service.' } satisfies ApiError)
}
