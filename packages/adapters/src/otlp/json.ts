import { isObject, type JsonObject, own } from '@plumbline/detector/foreign'
import { type Attributes, isWanted, OTLP_LIMITS, type OtlpSpan, spanTimes } from './span.ts'

/** Reads the JSON form of ExportTraceServiceRequest. Throws a plain Error for what is not one. */
export const decodeJsonSpans = (body: Uint8Array): OtlpSpan[] => {
  const root: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  if (!isObject(root)) throw new Error('not an object')
  const spans: OtlpSpan[] = []
  for (const resourceSpans of list(root, 'resourceSpans')) {
    const resource = readAttributes(asObject(own(resourceSpans, 'resource')))
    for (const scopeSpans of list(resourceSpans, 'scopeSpans')) {
      for (const span of list(scopeSpans, 'spans')) {
        if (spans.length >= OTLP_LIMITS.spansPerRequest) throw new Error(`more than ${OTLP_LIMITS.spansPerRequest} spans in one request`)
        spans.push(readSpan(span, resource))
      }
    }
  }
  return spans
}

const asObject = (value: unknown): JsonObject => (isObject(value) ? value : {})

const list = (object: JsonObject, key: string): JsonObject[] => {
  const value = own(object, key)
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw new Error(`${key} is not a list`)
  return value.map(asObject)
}

const text = (object: JsonObject, key: string): string => {
  const value = own(object, key)
  return typeof value === 'string' ? value : ''
}

/** int64 travels as text in protobuf's JSON; some senders write numbers. */
const nanos = (object: JsonObject, key: string): bigint => {
  const value = own(object, key)
  if (typeof value === 'string' && /^\d{1,20}$/.test(value)) return BigInt(value)
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? BigInt(Math.floor(value)) : 0n
}

const whole = (value: unknown): number => (typeof value === 'number' && Number.isInteger(value) ? value : 0)
const id = (value: string): string => (/^[0-9a-f]{1,32}$/i.test(value) ? value.toLowerCase() : '')

const readSpan = (span: JsonObject, resource: Attributes): OtlpSpan => ({
  traceId: id(text(span, 'traceId')),
  spanId: id(text(span, 'spanId')),
  parentSpanId: id(text(span, 'parentSpanId')),
  name: text(span, 'name'),
  kind: whole(own(span, 'kind')),
  status: whole(own(asObject(own(span, 'status')), 'code')),
  attributes: readAttributes(span),
  resource,
  ...spanTimes(nanos(span, 'startTimeUnixNano'), nanos(span, 'endTimeUnixNano')),
})

const readAttributes = (holder: JsonObject): Attributes => {
  const out = new Map<string, string | number | boolean>()
  for (const keyValue of list(holder, 'attributes')) {
    const key = text(keyValue, 'key')
    if (!isWanted(key) || out.size >= OTLP_LIMITS.attributesPerSpan) continue
    const value = readAnyValue(asObject(own(keyValue, 'value')))
    if (value !== undefined) out.set(key, value)
  }
  return out
}

const readAnyValue = (value: JsonObject, depth = 0): string | number | boolean | undefined => {
  const string = own(value, 'stringValue')
  if (typeof string === 'string') return string
  const bool = own(value, 'boolValue')
  if (typeof bool === 'boolean') return bool
  const number = own(value, 'intValue') ?? own(value, 'doubleValue')
  if (number !== undefined && number !== null && number !== '') return Number.isFinite(Number(number)) ? Number(number) : undefined
  const array = own(value, 'arrayValue')
  if (depth === 0 && isObject(array)) {
    for (const element of list(array, 'values')) {
      const first = readAnyValue(element, depth + 1)
      if (first !== undefined) return first
    }
  }
  return undefined
}
