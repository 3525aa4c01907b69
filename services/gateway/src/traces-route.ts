import {
  createSpanJoiner,
  decodeTraces,
  encodeAnswer,
  encodeFailure,
  mapSpans,
  type OtlpEncoding,
  type OtlpSpan,
} from '@plumbline/adapters/otlp'
import type { Metrics } from '@plumbline/runtime'
import { PlumblineError } from '@plumbline/schemas'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Candidate, Door } from './door.ts'
import type { Intake } from './intake.ts'
import type { Problem } from './problems.ts'

const encodingOf = (request: FastifyRequest): OtlpEncoding | undefined => {
  const type = request.headers['content-type'] ?? ''
  if (/^application\/(x-)?protobuf\b/i.test(type)) return 'protobuf'
  return /^application\/json\b/i.test(type) ? 'json' : undefined
}

const contentType = (encoding: OtlpEncoding): string => (encoding === 'protobuf' ? 'application/x-protobuf' : 'application/json')

/** POST /v1/traces: OTLP/HTTP. Answers in the encoding of the request, refusals as google.rpc.Status. */
export const tracesRoute = (
  app: FastifyInstance,
  intake: Intake,
  door: Door,
  metrics: Pick<Metrics, 'plumbline_ingest_ignored_total'>,
): void => {
  const joiner = createSpanJoiner()
  app.post('/v1/traces', async (request, reply) => {
    const encoding = encodingOf(request)
    if (encoding === undefined) throw new PlumblineError('MEDIA_TYPE_UNSUPPORTED', 'The body is neither protobuf nor JSON.')
    const credential = intake.credentialOf(request)
    // An empty protobuf message has no bytes: a sender may well have nothing to say.
    const spans = isEmpty(request) ? [] : decodeTraces(await intake.bodyOf(request, reply), encoding)
    const mapped = mapSpans(spans, joiner, { tenant: credential.tenant, identity: credential.identity })
    const candidates = mapped.events.map(
      (e): Candidate => ({ index: e.index, decoded: e, bytes: e.ok ? e.canonical : describe(spans[e.index]) }),
    )
    const { answer } = await door.admit(candidates, credential, 'otlp')
    for (const [reason, count] of mapped.ignored) metrics.plumbline_ingest_ignored_total.inc({ reason }, count)
    const words = answer.errors
      .slice(0, 5)
      .map((e) => `span ${e.index}: ${e.code}${e.field === '' ? '' : ` ${e.field}`}: ${sentence(e.message)} ${e.remedy}`)
    return reply
      .code(200)
      .type(contentType(encoding))
      .send(Buffer.from(encodeAnswer(encoding, answer.rejected, words.join('\n'))))
  })
}

/**
 * POST /v1/logs and /v1/metrics: an SDK that was given one endpoint sends all three signals to it. They hold no access,
 * so they are taken, counted and let go; a refusal would fill the agent's log with errors.
 */
export const otherSignalsRoute = (app: FastifyInstance, metrics: Pick<Metrics, 'plumbline_ingest_ignored_total'>): void => {
  for (const signal of ['logs', 'metrics']) {
    app.post(`/v1/${signal}`, async (request, reply) => {
      const encoding = encodingOf(request)
      if (encoding === undefined) throw new PlumblineError('MEDIA_TYPE_UNSUPPORTED', 'The body is neither protobuf nor JSON.')
      metrics.plumbline_ingest_ignored_total.inc({ reason: signal })
      return reply
        .code(200)
        .type(contentType(encoding))
        .send(Buffer.from(encodeAnswer(encoding, 0, '')))
    })
  }
}

const sentence = (text: string): string => (/[.?!]$/.test(text) ? text : `${text}.`)

const OTLP_ROUTES = new Set(['/v1/traces', '/v1/logs', '/v1/metrics'])

const isEmpty = (request: FastifyRequest): boolean => request.body === undefined || (request.body as Buffer).length === 0

/** A refused span for the dead letters: only what would have been read anyway. */
const describe = (span: OtlpSpan | undefined): Uint8Array =>
  Buffer.from(span === undefined ? '' : JSON.stringify({ ...span, attributes: [...span.attributes], resource: [...span.resource] }))

/** The refusal in the form that OTLP senders read, or undefined for other requests. */
export const sendOtlpProblem = (request: FastifyRequest, reply: FastifyReply, problem: Problem): FastifyReply | undefined => {
  if (!OTLP_ROUTES.has(request.routeOptions.url ?? '')) return undefined
  const encoding = encodingOf(request) ?? 'json'
  const text = `${problem.body.code}: ${problem.body.message} ${problem.body.remedy}`
  return reply.type(contentType(encoding)).send(Buffer.from(encodeFailure(encoding, problem.rpcCode, text)))
}
