/** String fields of an event, as indexes into `DecodedEvent.start` and `.end`. */
export const S = {
  id: 0,
  tenant: 1,
  identity: 2,
  instance: 3,
  attested: 4,
  versionRelease: 5,
  versionModel: 6,
  versionPrompt: 7,
  versionTools: 8,
  versionCode: 9,
  delegate: 10,
  peerGroup: 11,
  session: 12,
  action: 13,
  resource: 14,
  resourceClass: 15,
  resourceSegment: 16,
  segment: 17,
  destination: 18,
  ip: 19,
  userAgent: 20,
  country: 21,
  rootSession: 22,
  trace: 23,
} as const
export const STRING_FIELDS = 24

/** Number fields of an event, as indexes into `DecodedEvent.number`; NaN when absent. */
export const N = {
  time: 0,
  bytesIn: 1,
  bytesOut: 2,
  tokensIn: 3,
  tokensOut: 4,
  durationMs: 5,
  sensitivity: 6,
  asn: 7,
  instructionLikeness: 8,
  entropy: 9,
  argumentsFromUser: 10,
  argumentsFromTool: 11,
  argumentsNew: 12,
} as const
export const NUMBER_FIELDS = 13

export const ABSENT = 255

/** An event in the scanner's memory: starts, ends, both halves of the hashes, numbers, then four whole numbers. */
export const HASHES_AT = STRING_FIELDS * 8
const NUMBERS_AT = STRING_FIELDS * 16
export const SCALARS_AT = NUMBERS_AT + NUMBER_FIELDS * 8
const EVENT_BYTES = SCALARS_AT + 16

/**
 * One event as spans of its bytes and plain numbers. One instance per shard group is reused for every event,
 * so nothing is allocated on the way; `start[f] === end[f]` means the field is absent.
 */
export class DecodedEvent {
  bytes: Uint8Array = new Uint8Array(0)
  readonly start: Int32Array
  readonly end: Int32Array
  readonly number: Float64Array
  /** Index into IDENTITY_KINDS. */
  kind = 0
  /** Index into OUTCOMES. */
  outcome = 0
  /** Index into PROVENANCES, or ABSENT. */
  provenance = ABSENT
  /** 1 true, 0 false, ABSENT. */
  untrusted = ABSENT

  /** @param buffer memory to live in, from byte `at` on: the scanner's own, so that nothing is copied. */
  constructor(buffer = new ArrayBuffer(EVENT_BYTES), at = 0) {
    this.start = new Int32Array(buffer, at, STRING_FIELDS)
    this.end = new Int32Array(buffer, at + STRING_FIELDS * 4, STRING_FIELDS)
    this.number = new Float64Array(buffer, at + NUMBERS_AT, NUMBER_FIELDS)
  }

  reset(bytes: Uint8Array): void {
    this.bytes = bytes
    this.start.fill(0)
    this.end.fill(0)
    this.number.fill(Number.NaN)
    this.kind = 0
    this.outcome = 0
    this.provenance = ABSENT
    this.untrusted = ABSENT
  }

  /** Takes over all of `from`; the bytes stay shared. */
  copy(from: DecodedEvent): void {
    this.bytes = from.bytes
    this.start.set(from.start)
    this.end.set(from.end)
    this.number.set(from.number)
    this.kind = from.kind
    this.outcome = from.outcome
    this.provenance = from.provenance
    this.untrusted = from.untrusted
  }

  has(field: number): boolean {
    return this.end[field]! > this.start[field]!
  }

  text(field: number): string {
    return decodeText(this.bytes, this.start[field]!, this.end[field]!)
  }
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const decodeText = (bytes: Uint8Array, start: number, end: number): string => decoder.decode(bytes.subarray(start, end))

/** A token that was read weighs so much less than one that was written: what a call reads is mostly the size of its context. */
const READ_PER_WRITTEN = 20

/** Tokens of one call, in written ones: what the model wrote, or what it read where that is far more. 0 when not told. */
export const tokensOf = ({ number }: DecodedEvent): number => {
  const written = number[N.tokensOut]!
  const read = number[N.tokensIn]! / READ_PER_WRITTEN
  return read > 0 && !(written >= read) ? read : written > 0 ? written : 0
}
