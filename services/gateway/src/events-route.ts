import { createHash } from 'node:crypto'
import { decodeEvent } from '@plumbline/detector/decode-event'
import { type IngestAnswer, type IngestRefusal, PlumblineError } from '@plumbline/schemas'
import type { FastifyInstance } from 'fastify'
import { decodeInTurns, type Door } from './door.ts'
import type { Intake, IntakeLimits } from './intake.ts'
import { PROBLEMS } from './problems.ts'
import { splitBody } from './split-body.ts'

const LINE_TYPES = /^application\/(x-ndjson|ndjson|jsonl|x-jsonlines|jsonlines)\b/i
const KEY = /^[\x21-\x7e]{1,200}$/

/** Nothing of the request got in: a sender that looks at the status alone must see it. */
const allRefused = (answer: IngestAnswer): boolean => answer.accepted === 0 && answer.rejected > 0

const REFUSED = {
  code: 'EVENTS_REFUSED',
  message: 'Every event of the request was refused.',
  remedy: (PROBLEMS['EVENTS_REFUSED'] as { remedy: string }).remedy,
} as const

/**
 * POST /v1/events: one object, a list, or lines. 202 once durable, with each refused event by index, code, field and remedy;
 * 422 with the same list when none was taken.
 */
export const eventsRoute = (app: FastifyInstance, intake: Intake, door: Door, limits: IntakeLimits): void => {
  app.post('/v1/events', async (request, reply) => {
    const key = request.headers['idempotency-key']
    if (key !== undefined && (typeof key !== 'string' || !KEY.test(key))) {
      throw new PlumblineError('IDEMPOTENCY_KEY_INVALID', 'The Idempotency-Key header cannot be used.')
    }
    const body = await intake.bodyOf(request, reply)
    const repeatable = key === undefined ? undefined : { key, fingerprint: createHash('sha256').update(body).digest() }
    const parts = splitBody(body, LINE_TYPES.test(request.headers['content-type'] ?? ''), limits.eventsPerRequest)
    if (parts.length > limits.eventsPerRequest)
      throw new PlumblineError('TOO_MANY_EVENTS', `The request holds more than ${limits.eventsPerRequest} events.`)
    const candidates = await decodeInTurns(parts, (bytes, index) => ({ index, bytes, decoded: decodeEvent(bytes) }))
    const { answer, repeated } = await door.admit(candidates, intake.credentialOf(request), 'events', repeatable)
    if (repeated !== undefined) reply.header('idempotency-replayed', 'true')
    const given = repeated === undefined ? answer : (JSON.parse(Buffer.from(repeated).toString()) as IngestAnswer)
    if (!allRefused(given)) return reply.code(202).send(given)
    return reply.code(422).send({ ...REFUSED, ...given } satisfies IngestRefusal)
  })
}
