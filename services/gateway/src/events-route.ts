import { decodeFull } from '@plumbline/detector/decode'
import { PlumblineError } from '@plumbline/schemas'
import type { FastifyInstance } from 'fastify'
import { decodeInTurns, type Door } from './door.ts'
import type { Intake, IntakeLimits } from './intake.ts'
import { splitBody } from './split-body.ts'

const LINE_TYPES = /^application\/(x-ndjson|ndjson|jsonl|x-jsonlines|jsonlines)\b/i
const KEY = /^[\x21-\x7e]{1,200}$/

/** POST /v1/events: one object, a list, or lines. 202 once durable; each refused event by index with code, field and remedy. */
export const eventsRoute = (app: FastifyInstance, intake: Intake, door: Door, limits: IntakeLimits): void => {
  app.post('/v1/events', async (request, reply) => {
    const key = request.headers['idempotency-key']
    if (key !== undefined && (typeof key !== 'string' || !KEY.test(key))) {
      throw new PlumblineError('IDEMPOTENCY_KEY_INVALID', 'The Idempotency-Key header cannot be used.')
    }
    const body = await intake.bodyOf(request, reply)
    const parts = splitBody(body, LINE_TYPES.test(request.headers['content-type'] ?? ''), limits.eventsPerRequest)
    if (parts.length > limits.eventsPerRequest)
      throw new PlumblineError('TOO_MANY_EVENTS', `The request holds more than ${limits.eventsPerRequest} events.`)
    const candidates = await decodeInTurns(parts, (bytes, index) => ({ index, bytes, decoded: decodeFull(bytes) }))
    const { answer, repeated } = await door.admit(candidates, intake.credentialOf(request), 'events', key)
    reply.code(202)
    if (repeated === undefined) return answer
    return reply.header('idempotency-replayed', 'true').type('application/json; charset=utf-8').send(Buffer.from(repeated))
  })
}
