import { decodeParsed } from '@plumbline/detector/decode'
import { compact, findDestinations, isObject, plain, plainName, size } from '@plumbline/detector/foreign'
import { EVENT_LIMITS, type Event, type Rejection } from '@plumbline/schemas'
import { type Context, type SpanJoiner, serviceOf } from './join.ts'
import type { OtlpSpan } from './span.ts'

/** What the sender's credential says, which no span can override (B10). */
export interface Bound {
  readonly tenant?: string | undefined
  readonly identity?: { readonly id: string; readonly kind: 'agent' | 'user' | 'service' } | undefined
}

export type MappedSpan =
  | { readonly ok: true; readonly index: number; readonly event: Event; readonly canonical: Uint8Array }
  | { readonly ok: false; readonly index: number; readonly rejection: Rejection }

export interface MappedSpans {
  readonly events: readonly MappedSpan[]
  /** Spans that carry no access: count by reason. */
  readonly ignored: ReadonlyMap<string, number>
}

/** What a span did, before it is known who did it. */
interface Act {
  readonly action: string
  readonly resource: { readonly id?: string | undefined; readonly class: string }
  readonly destination?: string | undefined
  readonly outcome: 'success' | 'failure' | 'denied'
  readonly sizes?: { readonly bytesIn?: number | undefined; readonly bytesOut?: number | undefined }
  readonly tokens?: { readonly tokensIn?: number | undefined; readonly tokensOut?: number | undefined }
}

/** GenAI, HTTP client and database client spans as events; all others are counted by kind and left alone. */
export const mapSpans = (spans: readonly OtlpSpan[], joiner: SpanJoiner, bound: Bound = {}): MappedSpans => {
  const contexts = joiner.join(spans, bound.tenant ?? '')
  const events: MappedSpan[] = []
  const ignored = new Map<string, number>()
  spans.forEach((span, index) => {
    const act = actOf(span)
    if (act === undefined) {
      ignored.set('span_kind', (ignored.get('span_kind') ?? 0) + 1)
      return
    }
    const out = decodeParsed(toEvent(span, act, contexts[index] as Context, bound))
    events.push(out.ok ? { ok: true, index, event: out.event, canonical: out.canonical } : { ok: false, index, rejection: out.rejection })
  })
  return { events, ignored }
}

const str = (span: OtlpSpan, ...keys: readonly string[]): string | undefined => {
  for (const key of keys) {
    const value = span.attributes.get(key)
    if (typeof value === 'string' && value !== '') return value
  }
  return undefined
}
const num = (span: OtlpSpan, ...keys: readonly string[]): number | undefined => {
  for (const key of keys) {
    const value = span.attributes.get(key)
    const n = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
    if (typeof n === 'number') return size(n)
  }
  return undefined
}

/** The other side of a call. */
const peer = (span: OtlpSpan): string | undefined => str(span, 'server.address', 'net.peer.name')?.toLowerCase()

const CLIENT = 3

const actOf = (span: OtlpSpan): Act | undefined => {
  const operation = str(span, 'gen_ai.operation.name')
  if (operation === 'execute_tool' || str(span, 'gen_ai.tool.name', 'mcp.tool.name') !== undefined) return toolAct(span)
  if (operation === 'invoke_agent' || operation === 'create_agent' || operation === 'invoke_workflow') return agentAct(span, operation)
  if (operation !== undefined || str(span, 'gen_ai.request.model', 'gen_ai.response.model') !== undefined)
    return modelAct(span, operation ?? 'chat')
  if (span.kind !== CLIENT) return undefined
  if (str(span, 'db.system.name', 'db.system') !== undefined) return databaseAct(span)
  return str(span, 'http.request.method', 'http.method') === undefined ? undefined : httpAct(span)
}

const toolAct = (span: OtlpSpan): Act => {
  const tool = str(span, 'gen_ai.tool.name', 'mcp.tool.name') ?? span.name.replace(/^execute_tool /, '')
  // Opt-in content: only its length and where it points to are kept.
  const args = str(span, 'gen_ai.tool.call.arguments')
  const result = str(span, 'gen_ai.tool.call.result')
  return {
    action: tool === '' ? 'execute_tool' : tool,
    resource: { id: str(span, 'gen_ai.data_source.id') ?? tool, class: 'tool' },
    destination: destinationOf(args) ?? peer(span),
    outcome: outcomeOf(span),
    sizes: { bytesOut: lengthOf(args), bytesIn: lengthOf(result) },
  }
}

const lengthOf = (text: string | undefined): number | undefined => (text === undefined ? undefined : Buffer.byteLength(text))

const destinationOf = (args: string | undefined): string | undefined => {
  if (args === undefined || args.length > EVENT_LIMITS.eventBytes) return undefined
  try {
    const parsed: unknown = JSON.parse(args)
    return isObject(parsed) ? findDestinations('', parsed)?.first : undefined
  } catch {
    return undefined
  }
}

const agentAct = (span: OtlpSpan, operation: string): Act => ({
  action: operation,
  resource: { id: str(span, 'gen_ai.agent.name', 'gen_ai.agent.id', 'gen_ai.workflow.name'), class: 'agent' },
  destination: peer(span),
  outcome: outcomeOf(span),
  tokens: tokensOf(span),
})

const modelAct = (span: OtlpSpan, operation: string): Act => ({
  action: operation,
  resource:
    operation === 'retrieval'
      ? { id: str(span, 'gen_ai.data_source.id'), class: 'retrieval' }
      : { id: str(span, 'gen_ai.request.model', 'gen_ai.response.model'), class: 'model' },
  destination: peer(span) ?? str(span, 'gen_ai.provider.name', 'gen_ai.system'),
  outcome: outcomeOf(span),
  tokens: tokensOf(span),
})

const tokensOf = (span: OtlpSpan): NonNullable<Act['tokens']> => ({
  tokensIn: num(span, 'gen_ai.usage.input_tokens', 'gen_ai.usage.prompt_tokens'),
  tokensOut: num(span, 'gen_ai.usage.output_tokens', 'gen_ai.usage.completion_tokens'),
})

const databaseAct = (span: OtlpSpan): Act => {
  const operation = str(span, 'db.operation.name', 'db.operation') ?? 'query'
  const place = [str(span, 'db.namespace', 'db.name'), str(span, 'db.collection.name', 'db.sql.table', 'db.mongodb.collection')]
  const id = place.filter((p) => p !== undefined).join('.')
  return {
    action: `db.${operation}`,
    resource: { id: id === '' ? undefined : id, class: 'database' },
    destination: peer(span),
    outcome: outcomeOf(span),
  }
}

const httpAct = (span: OtlpSpan): Act => {
  const url = str(span, 'url.full', 'http.url')
  return {
    action: `http.${str(span, 'http.request.method', 'http.method')}`,
    // Without query and fragment: they hold values, not places.
    resource: {
      id: url?.replace(/[?#].*$/s, '').replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, '$1') ?? str(span, 'url.template', 'http.target'),
      class: 'http',
    },
    destination: peer(span) ?? (url === undefined ? undefined : findDestinations('', { url })?.first),
    outcome: outcomeOf(span),
    sizes: {
      bytesOut: num(span, 'http.request.body.size', 'http.request.size', 'http.request_content_length'),
      bytesIn: num(span, 'http.response.body.size', 'http.response.size', 'http.response_content_length'),
    },
  }
}

const ERROR = 2

const outcomeOf = (span: OtlpSpan): Act['outcome'] => {
  const status = num(span, 'http.response.status_code', 'http.status_code')
  const error = str(span, 'error.type') ?? ''
  if (status === 401 || status === 403 || /denied|forbidden|unauthori[sz]ed|permission|^40[13]$/i.test(error)) return 'denied'
  return span.status === ERROR || error !== '' || (status !== undefined && status >= 400) ? 'failure' : 'success'
}

const toEvent = (span: OtlpSpan, act: Act, context: Context, bound: Bound): Record<string, unknown> => {
  const resource = (key: string): unknown => span.resource.get(key)
  const { nameChars, attributeValueChars } = EVENT_LIMITS
  const own = context.agent ?? serviceOf(span)
  const identity = bound.identity ?? {
    id: plainName(own, EVENT_LIMITS.identityChars),
    // Stock instrumentation often names no agent: its service is the agent then.
    kind: context.agent !== undefined || context.agentic ? 'agent' : 'service',
  }
  return withoutAbsent({
    id: span.traceId === '' || span.spanId === '' ? undefined : `${span.traceId}-${span.spanId}`,
    time: span.startMs,
    tenant: bound.tenant,
    identity: compact({
      ...identity,
      instance: plain(resource('service.instance.id') ?? resource('host.name'), nameChars),
      attested: bound.identity === undefined ? undefined : 'token',
      version: compact({ release: plain(resource('service.version'), nameChars), model: plain(context.model, nameChars) }),
    }),
    delegation: delegationOf(context, identity.id),
    session: plain(context.conversation, EVENT_LIMITS.idChars),
    trace: plain(span.traceId, EVENT_LIMITS.idChars),
    action: plain(act.action, nameChars),
    resource: compact({ id: plain(act.resource.id, EVENT_LIMITS.resourceChars), class: act.resource.class }),
    destination: plain(act.destination, EVENT_LIMITS.destinationChars),
    outcome: act.outcome,
    ...act.sizes,
    ...act.tokens,
    durationMs: span.durationMs,
    attributes: compact({
      service: plain(serviceOf(span), attributeValueChars),
      // A claim beside a proven identity is worth keeping when the two differ.
      claimedAgent:
        bound.identity === undefined || context.agent === bound.identity.id ? undefined : plain(context.agent, attributeValueChars),
      provider: plain(str(span, 'gen_ai.provider.name', 'gen_ai.system'), attributeValueChars),
      toolType: plain(str(span, 'gen_ai.tool.type'), attributeValueChars),
      error: plain(str(span, 'error.type'), attributeValueChars),
    }),
  })
}

const delegationOf = (context: Context, self: string | undefined): { id: string; kind: string }[] | undefined => {
  const chain: { id: string; kind: string }[] = []
  const agent = plainName(context.callingAgent, EVENT_LIMITS.identityChars)
  const user = plainName(context.user, EVENT_LIMITS.identityChars)
  if (agent !== undefined && agent !== self) chain.push({ id: agent, kind: 'agent' })
  if (user !== undefined && user !== self) chain.push({ id: user, kind: 'user' })
  return chain.length === 0 ? undefined : chain
}

const withoutAbsent = (input: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined))
