import type { OtlpSpan } from './span.ts'

/** What a span may know only through its relatives. */
export interface Context {
  /** Nearest agent around the span, the span's own included. */
  readonly agent: string | undefined
  /** Whether it is part of an agent's work: the span, or another one of its trace and service, speaks of GenAI. */
  readonly agentic: boolean
  /** The next different agent further out: on whose behalf that one works. */
  readonly callingAgent: string | undefined
  readonly conversation: string | undefined
  readonly model: string | undefined
  readonly user: string | undefined
}

/**
 * Joins spans to their relatives (a tool span names neither agent nor conversation before September 2026).
 * Children end, and so are sent, before their parents: what a batch lacks is looked up in what earlier
 * batches said of the same trace, then of the same service when only one agent was ever seen there.
 */
export interface SpanJoiner {
  /** `scope` keeps what was learnt of one tenant from another's spans. */
  join(spans: readonly OtlpSpan[], scope: string): Context[]
}

interface Known {
  agent?: string | undefined
  conversation?: string | undefined
  user?: string | undefined
}

const MAX_TRACES = 20_000
const MAX_SERVICES = 2000
const MAX_HOPS = 64

export const createSpanJoiner = (): SpanJoiner => {
  const traces = bounded<Known>(MAX_TRACES)
  /** Agent of a service, or null once there was a second one. */
  const services = bounded<{ agent: string | null }>(MAX_SERVICES)
  /** Traces of a service with a GenAI span in them. A trace alone would not do: it passes through services that are none. */
  const agentic = bounded<true>(MAX_TRACES)

  const learn = (span: OtlpSpan, scope: string): void => {
    const trace = `${scope}/${span.traceId}`
    const known = traces.get(trace) ?? {}
    const agent = agentOf(span)
    if (speaksOfGenAi(span)) agentic.set(workOf(span, scope), true)
    known.conversation ??= str(span, 'gen_ai.conversation.id')
    known.user ??= userOf(span)
    if (agent !== undefined) {
      known.agent ??= agent
      const service = scoped(scope, serviceOf(span))
      const seen = service === undefined ? undefined : services.get(service)
      if (service !== undefined) services.set(service, { agent: seen === undefined || seen.agent === agent ? agent : null })
    }
    if (known.agent !== undefined || known.conversation !== undefined || known.user !== undefined) traces.set(trace, known)
  }

  const contextOf = (span: OtlpSpan, scope: string, byId: ReadonlyMap<string, OtlpSpan>): Context => {
    let agent: string | undefined
    let callingAgent: string | undefined
    let conversation: string | undefined
    let model: string | undefined
    let user: string | undefined
    let at: OtlpSpan | undefined = span
    for (let hop = 0; at !== undefined && hop < MAX_HOPS; hop++) {
      const name = agentOf(at)
      if (agent === undefined) agent = name
      else if (name !== undefined && name !== agent) callingAgent ??= name
      conversation ??= str(at, 'gen_ai.conversation.id')
      model ??= str(at, 'gen_ai.request.model') ?? str(at, 'gen_ai.response.model')
      user ??= userOf(at)
      at = at.parentSpanId === '' ? undefined : byId.get(`${at.traceId}/${at.parentSpanId}`)
    }
    const trace = traces.get(`${scope}/${span.traceId}`)
    const service = scoped(scope, serviceOf(span))
    return {
      agent: agent ?? trace?.agent ?? (service === undefined ? undefined : (services.get(service)?.agent ?? undefined)),
      agentic: agentic.get(workOf(span, scope)) === true,
      callingAgent,
      conversation: conversation ?? trace?.conversation,
      model,
      user: user ?? trace?.user,
    }
  }

  return {
    join(spans, scope) {
      const byId = new Map(spans.map((s) => [`${s.traceId}/${s.spanId}`, s]))
      for (const span of spans) learn(span, scope)
      return spans.map((span) => contextOf(span, scope, byId))
    },
  }
}

const scoped = (scope: string, name: string | undefined): string | undefined => (name === undefined ? undefined : `${scope}/${name}`)

const str = (span: OtlpSpan, key: string): string | undefined => {
  const value = span.attributes.get(key)
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** What a service did in one trace. */
const workOf = (span: OtlpSpan, scope: string): string => `${scope}/${span.traceId}/${serviceOf(span) ?? ''}`

const speaksOfGenAi = (span: OtlpSpan): boolean => {
  for (const key of span.attributes.keys()) if (key.startsWith('gen_ai.')) return true
  return false
}

const agentOf = (span: OtlpSpan): string | undefined => str(span, 'gen_ai.agent.name') ?? str(span, 'gen_ai.agent.id')

const userOf = (span: OtlpSpan): string | undefined => str(span, 'user.id') ?? str(span, 'enduser.id')

export const serviceOf = (span: OtlpSpan): string | undefined => {
  const name = span.resource.get('service.name')
  return typeof name === 'string' && name !== '' ? name : undefined
}

/** A Map that forgets what was least recently written. */
const bounded = <V>(limit: number) => {
  const map = new Map<string, V>()
  return {
    get: (key: string): V | undefined => map.get(key),
    set(key: string, value: V): void {
      map.delete(key)
      map.set(key, value)
      if (map.size > limit) map.delete(map.keys().next().value as string)
    },
  }
}
