import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { type Attributes, isWanted, OTLP_LIMITS, type OtlpSpan, spanTimes } from './span.ts'

/**
 * Reads ExportTraceServiceRequest without generated code: only the fields named here (opentelemetry-proto 1.x,
 * stable), everything else is skipped by wire type. Throws a plain Error for bytes that are not protobuf.
 */

/** Calls `field` for each field of the message; `field` returns false for what it did not read. */
const message = (bytes: Uint8Array, field: (no: number, type: WireType, reader: BinaryReader) => boolean): void => {
  const reader = new BinaryReader(bytes)
  while (reader.pos < reader.len) {
    const [no, type] = reader.tag()
    if (!field(no, type, reader)) reader.skip(type, no, OTLP_LIMITS.nesting)
  }
}

/** Length-delimited fields of the message with number `wanted`, each handed on as bytes. */
const submessages = (bytes: Uint8Array, wanted: number, take: (bytes: Uint8Array) => void): void =>
  message(bytes, (no, type, reader) => {
    if (no !== wanted || type !== WireType.LengthDelimited) return false
    take(reader.bytes())
    return true
  })

export const decodeProtobufSpans = (body: Uint8Array): OtlpSpan[] => {
  const spans: OtlpSpan[] = []
  submessages(body, 1, (resourceSpans) => {
    const resource = new Map<string, string | number | boolean>()
    submessages(resourceSpans, 1, (bytes) => submessages(bytes, 1, (keyValue) => readKeyValue(keyValue, resource)))
    submessages(resourceSpans, 2, (scopeSpans) =>
      submessages(scopeSpans, 2, (bytes) => {
        if (spans.length >= OTLP_LIMITS.spansPerRequest) throw new Error(`more than ${OTLP_LIMITS.spansPerRequest} spans in one request`)
        spans.push(readSpan(bytes, resource))
      }),
    )
  })
  return spans
}

const readSpan = (bytes: Uint8Array, resource: Attributes): OtlpSpan => {
  const ids = { traceId: '', spanId: '', parentSpanId: '' }
  let name = ''
  let kind = 0
  let status = 0
  let start = 0n
  let end = 0n
  const attributes = new Map<string, string | number | boolean>()
  message(bytes, (no, type, reader) => {
    if (type === WireType.LengthDelimited) {
      if (no === 1) ids.traceId = hex(reader.bytes())
      else if (no === 2) ids.spanId = hex(reader.bytes())
      else if (no === 4) ids.parentSpanId = hex(reader.bytes())
      else if (no === 5) name = reader.string(true)
      else if (no === 9) readKeyValue(reader.bytes(), attributes)
      else if (no === 15) status = readStatus(reader.bytes())
      else return false
    } else if (no === 6 && type === WireType.Varint) kind = reader.int32()
    else if (no === 7 && type === WireType.Bit64) start = BigInt(reader.fixed64())
    else if (no === 8 && type === WireType.Bit64) end = BigInt(reader.fixed64())
    else return false
    return true
  })
  return { ...ids, name, kind, status, attributes, resource, ...spanTimes(start, end) }
}

const hex = (bytes: Uint8Array): string => (bytes.length > 16 ? '' : Buffer.from(bytes).toString('hex'))

const readStatus = (bytes: Uint8Array): number => {
  let code = 0
  message(bytes, (no, type, reader) => {
    if (no !== 3 || type !== WireType.Varint) return false
    code = reader.int32()
    return true
  })
  return code
}

const readKeyValue = (bytes: Uint8Array, into: Map<string, string | number | boolean>): void => {
  let key = ''
  let value: Uint8Array | undefined
  message(bytes, (no, type, reader) => {
    if (type !== WireType.LengthDelimited) return false
    if (no === 1) key = reader.string(true)
    else if (no === 2) value = reader.bytes()
    else return false
    return true
  })
  if (value === undefined || !isWanted(key) || into.size >= OTLP_LIMITS.attributesPerSpan) return
  const scalar = readAnyValue(value, 0)
  if (scalar !== undefined) into.set(key, scalar)
}

const readAnyValue = (bytes: Uint8Array, depth: number): string | number | boolean | undefined => {
  let found: string | number | boolean | undefined
  message(bytes, (no, type, reader) => {
    if (no === 1 && type === WireType.LengthDelimited) found = reader.string(true)
    else if (no === 2 && type === WireType.Varint) found = reader.bool()
    else if (no === 3 && type === WireType.Varint) found = Number(reader.int64())
    else if (no === 4 && type === WireType.Bit64) found = reader.double()
    else if (no === 5 && type === WireType.LengthDelimited && depth === 0) {
      submessages(reader.bytes(), 1, (element) => {
        found ??= readAnyValue(element, depth + 1)
      })
    } else return false
    return true
  })
  return found
}

/** ExportTraceServiceResponse; empty when nothing was rejected. */
export const encodeResponse = (rejectedSpans: number, errorMessage: string): Uint8Array => {
  const writer = new BinaryWriter()
  if (rejectedSpans > 0 || errorMessage !== '') {
    writer.tag(1, WireType.LengthDelimited).fork()
    if (rejectedSpans > 0) writer.tag(1, WireType.Varint).int64(rejectedSpans)
    if (errorMessage !== '') writer.tag(2, WireType.LengthDelimited).string(errorMessage)
    writer.join()
  }
  return writer.finish()
}

/** google.rpc.Status, the body of an OTLP/HTTP error. */
export const encodeStatus = (code: number, text: string): Uint8Array =>
  new BinaryWriter().tag(1, WireType.Varint).int32(code).tag(2, WireType.LengthDelimited).string(text).finish()
