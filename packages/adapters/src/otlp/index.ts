import { PlumblineError } from '@plumbline/schemas'
import { decodeJsonSpans } from './json.ts'
import { decodeProtobufSpans, encodeResponse, encodeStatus } from './protobuf.ts'
import type { OtlpSpan } from './span.ts'

export { createSpanJoiner, type SpanJoiner } from './join.ts'
export { type Bound, type MappedSpan, type MappedSpans, mapSpans } from './map.ts'
export { OTLP_LIMITS, type OtlpSpan } from './span.ts'

export type OtlpEncoding = 'protobuf' | 'json'

/** Spans of an unpacked OTLP/HTTP trace request. Throws PlumblineError OTLP_MALFORMED; the message holds no content. */
export const decodeTraces = (body: Uint8Array, encoding: OtlpEncoding): OtlpSpan[] => {
  try {
    return encoding === 'protobuf' ? decodeProtobufSpans(body) : decodeJsonSpans(body)
  } catch (cause) {
    const detail = cause instanceof Error && /^more than \d+ spans/.test(cause.message) ? `: ${cause.message}` : ''
    throw new PlumblineError(
      'OTLP_MALFORMED',
      `The body is no OTLP trace request in ${encoding === 'json' ? 'JSON' : encoding}${detail}.`,
      { cause },
    )
  }
}

/** Answer to a request that was taken in, wholly or in part. */
export const encodeAnswer = (encoding: OtlpEncoding, rejectedSpans: number, errorMessage: string): Uint8Array => {
  if (encoding === 'protobuf') return encodeResponse(rejectedSpans, errorMessage)
  const partial =
    rejectedSpans === 0 && errorMessage === '' ? {} : { partialSuccess: { rejectedSpans: String(rejectedSpans), errorMessage } }
  return Buffer.from(JSON.stringify(partial))
}

/** Answer to a request that was not. `code` is a google.rpc code: 3 invalid, 8 exhausted, 14 unavailable, 16 unauthenticated. */
export const encodeFailure = (encoding: OtlpEncoding, code: number, message: string): Uint8Array =>
  encoding === 'protobuf' ? encodeStatus(code, message) : Buffer.from(JSON.stringify({ code, message }))
