import { canonicalEvent, decodeParsed } from '@plumbline/detector/decode'
import { decodeEvent } from '@plumbline/detector/decode-event'
import { EVENT_LIMITS, type Event, PlumblineError, type Rejection, rejection } from '@plumbline/schemas'
import { isObject, type JsonObject, notJson } from '@plumbline/detector/foreign'
import { cloudtrailToEvent } from './cloudtrail.ts'
import { neutralRef, neutralToEvent } from './neutral.ts'
import { type OpenOptions, openBytes } from './open.ts'
import { elementSplitter, lineSplitter, type RawRecord, type Splitter } from './split.ts'

export const FILE_FORMATS = ['native', 'neutral', 'cloudtrail'] as const
export type FileFormat = (typeof FILE_FORMATS)[number]

export interface ReadOptions extends OpenOptions {
  /** Found from the beginning of the file when left out. */
  readonly format?: FileFormat | undefined
  /** Tenant of events that name none or, in cloudtrail, cannot. Default `default`. */
  readonly tenant?: string | undefined
}

interface Place {
  /** 0-based line, or place in a JSON list. */
  readonly line: number
  /** What the event is called in answers (contracts C9): its id in the source, else `line`. */
  readonly ref: string
}
export type FileRecord =
  | (Place & { readonly ok: true; readonly event: Event; readonly canonical: Uint8Array })
  | (Place & { readonly ok: false; readonly rejection: Rejection; readonly bytes: Uint8Array })

/** A raw record may be larger than the event made from it (texts of arguments are not kept). */
const MAX_RECORD_BYTES = 1024 * 1024
/** What an event without a tenant has. */
const DEFAULT_TENANT = 'default'
const PEEK_BYTES = 256 * 1024

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Events of a file, in the order of the file, one answer per record: nothing is skipped without a word.
 * Throws PlumblineError for the file as a whole: see openBytes, and FORMAT_UNSUPPORTED when no format fits.
 */
export async function* readEvents(source: string | AsyncIterable<Uint8Array>, options: ReadOptions = {}): AsyncGenerator<FileRecord> {
  const chunks = openBytes(source, options)
  const head = await peek(chunks)
  const shape = detect(head.bytes, options.format)
  if (shape === undefined) {
    if (head.bytes.length === 0) return
    throw new PlumblineError('FORMAT_UNSUPPORTED', `the beginning is none of ${FILE_FORMATS.join(', ')}; name it with --format`)
  }
  const splitter: Splitter = shape.list ? elementSplitter(MAX_RECORD_BYTES) : lineSplitter(MAX_RECORD_BYTES)
  const decode = decoder(shape.format, options.tenant ?? DEFAULT_TENANT)
  for (const raw of splitter.push(head.bytes)) yield decode(raw)
  for await (const chunk of chunks) for (const raw of splitter.push(chunk)) yield decode(raw)
  for (const raw of splitter.end()) yield decode(raw)
}

const peek = async (chunks: AsyncGenerator<Uint8Array>): Promise<{ readonly bytes: Uint8Array }> => {
  const parts: Uint8Array[] = []
  let length = 0
  while (length < PEEK_BYTES) {
    const next = await chunks.next()
    if (next.done === true) break
    parts.push(next.value)
    length += next.value.length
  }
  return { bytes: Buffer.concat(parts) }
}

interface Shape {
  readonly format: FileFormat
  /** A JSON list or `{"Records": […]}`, rather than lines. */
  readonly list: boolean
}

/** Format and shape from the first bytes; undefined when nothing fits. Exported for `doctor` and error messages. */
export const detect = (head: Uint8Array, wanted?: FileFormat): Shape | undefined => {
  const start = head.findIndex((c) => c > 0x20)
  if (start < 0) return wanted === undefined ? undefined : { format: wanted, list: false }
  const list = head[start] === 0x5b || firstValueIsWrapper(head)
  if (wanted !== undefined) return { format: wanted, list }
  const splitter = list ? elementSplitter(PEEK_BYTES) : lineSplitter(PEEK_BYTES)
  for (const raw of [...splitter.push(head), ...splitter.end()].slice(0, 20)) {
    const parsed = parse(raw)
    const format = isObject(parsed) ? formatOf(parsed) : undefined
    if (format !== undefined) return { format, list }
  }
  return undefined
}

/** `{"Records": [` may be spread over lines; a line that is a whole object is no wrapper. */
const firstValueIsWrapper = (head: Uint8Array): boolean => {
  const text = new TextDecoder().decode(head.subarray(0, 4096))
  return /^\s*\{[^{}[\]]*"Records"\s*:\s*\[/.test(text)
}

const formatOf = (object: JsonObject): FileFormat | undefined => {
  if (Object.hasOwn(object, 'eventSource') && Object.hasOwn(object, 'eventName')) return 'cloudtrail'
  if (Object.hasOwn(object, 'ts') && typeof object['identity'] === 'string') return 'neutral'
  return isObject(object['identity']) && Object.hasOwn(object, 'time') ? 'native' : undefined
}

const parse = (raw: RawRecord): unknown => {
  try {
    return JSON.parse(utf8.decode(raw.bytes))
  } catch {
    return undefined
  }
}

const decoder = (format: FileFormat, tenant: string): ((raw: RawRecord) => FileRecord) => {
  const refuse = (raw: RawRecord, why: Rejection, ref = String(raw.index)): FileRecord => ({
    ok: false,
    line: raw.index,
    ref,
    rejection: why,
    bytes: raw.bytes.subarray(0, EVENT_LIMITS.eventBytes),
  })
  const foreign = (raw: RawRecord): FileRecord => {
    let text: string
    try {
      text = utf8.decode(raw.bytes)
    } catch {
      return refuse(raw, rejection('UTF8_INVALID'))
    }
    let parsed: unknown
    try {
      parsed = JSON.parse(text)
    } catch {
      return refuse(raw, notJson(text))
    }
    if (!isObject(parsed)) return refuse(raw, rejection('JSON_NOT_OBJECT'))
    const neutral = format === 'neutral'
    const input = neutral ? neutralToEvent(parsed, { index: raw.index, tenant }) : cloudtrailToEvent(parsed, tenant)
    const out = decodeParsed(withoutAbsent(input))
    const ref = neutral ? neutralRef(parsed, raw.index) : typeof input['id'] === 'string' ? input['id'] : String(raw.index)
    return out.ok ? { ...out, line: raw.index, ref } : refuse(raw, out.rejection, ref)
  }
  return (raw) => {
    if (raw.fault === 'too-large') return refuse(raw, rejection('EVENT_TOO_LARGE'))
    if (raw.fault === 'cut-off') return refuse(raw, rejection('JSON_SYNTAX', '', 'the file ends inside a record'))
    if (format !== 'native') return foreign(raw)
    const out = decodeEvent(raw.bytes)
    if (!out.ok) return refuse(raw, out.rejection)
    const place = { ok: true, line: raw.index, ref: out.event.id } as const
    if (tenant === DEFAULT_TENANT || out.event.tenant !== DEFAULT_TENANT) return { ...out, ...place }
    const event = { ...out.event, tenant }
    return { event, canonical: canonicalEvent(event), ...place }
  }
}

const withoutAbsent = (input: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined))
