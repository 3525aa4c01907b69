/** Why an event was not scored. Stable: written to dead letters, metrics and HTTP answers. */
export const REJECT_CODES = {
  JSON_SYNTAX: 'The bytes are not JSON. Send one JSON object per event.',
  JSON_NOT_OBJECT: 'The JSON is not an object. Send one JSON object per event.',
  JSON_TOO_DEEP: 'The JSON is nested too deeply. Flatten it; attributes take scalars only.',
  JSON_TOO_WIDE: 'The JSON has too many keys. Keep at most 256, attributes at most 32.',
  JSON_FORBIDDEN_KEY: 'The JSON has a key named __proto__, constructor or prototype. Rename that key.',
  JSON_DUPLICATE_KEY: 'The JSON names the same key twice in one object, and readers differ in which one they take. Send each key once.',
  EVENT_TOO_LARGE: 'The event is too large. Keep it under 64 KiB; put hashes or lengths in place of content.',
  UTF8_INVALID: 'The bytes are not valid UTF-8. Encode the event as UTF-8.',
  NUMBER_NOT_FINITE: 'A number is not finite or not exact. Send finite numbers below 2^53.',
  FIELD_MISSING: 'A required field is missing. Add it to the event.',
  FIELD_INVALID:
    'A field has a value outside its definition. Correct it as the message says; GET /v1/openapi.json has the limits of every field.',
  TIME_FUTURE: "The event time is more than 5 minutes after its arrival. Check the sender's clock.",
  TIME_INVALID: 'The event time cannot be read. Send RFC 3339 with a zone or epoch milliseconds.',
  VERSION_UNSUPPORTED: 'The event version is unknown. Send "v": 1.',
  RECORD_KEY_INVALID: 'The record key has no known type prefix. Events go through the gateway or carry an "e:" key.',
  SHARD_MISMATCH: 'The record stands in a shard its identity does not belong to. Let the gateway or the default partitioner place it.',
  CONTROL_INVALID:
    'A control record cannot be read. It is ignored; write control records with the same version of Plumbline that reads them.',
  RELEASE_REFUSED:
    'A release record names a release of another tenant, or one not newer than the one in force. It is ignored; publish a new release.',
  CHANGES_FULL: 'As many announced changes as a tenant may have are open. It is ignored; announce shorter windows or withdraw one.',
  STORE_REFUSED: 'The store refused the row for its content. The rest of its block was stored; report the message.',
  CREDENTIAL_MISMATCH: 'The token is bound to another tenant or identity. Leave the field out, or use the token made for it.',
  TENANT_RESERVED: 'The tenant is reserved for the demo of the service. Name another tenant, or leave the field out.',
  TENANT_LIMIT:
    'The tenant is new, and as many tenants as allowed are there already. Use one of them, or raise maxTenants or maxTenantsPerToken.',
  FORMAT_UNSUPPORTED: 'The line is of no format that was asked for. Check --format.',
} as const
export type RejectCode = keyof typeof REJECT_CODES

/** One stated reason why input was rejected. */
export interface Rejection {
  readonly code: RejectCode
  /** Path of the offending field, like `identity.id`; empty for the whole event. */
  readonly field: string
  /** What is wrong with this value; never contains the value itself. */
  readonly message: string
  /** What the sender can do about it. */
  readonly remedy: string
}

/** The words of a code: what is wrong stands in the first sentence, what to do about it in the rest. */
const wordsOf = (code: RejectCode): readonly [string, string] => {
  const words = REJECT_CODES[code]
  const end = words.indexOf('. ')
  return [words.slice(0, end + 1), words.slice(end + 2)]
}

/** What a sender can do about an event that was refused with this code; empty for a code of another version. */
export const remedyOf = (code: string): string => (code in REJECT_CODES ? wordsOf(code as RejectCode)[1] : '')

export const rejection = (code: RejectCode, field = '', message = ''): Rejection => {
  const [wrong, remedy] = wordsOf(code)
  return { code, field, message: message === '' ? wrong : message, remedy }
}

/** Typed error of the whole project: a stable code, and whether trying again can help. */
export class PlumblineError extends Error {
  override readonly name = 'PlumblineError'
  readonly code: string
  readonly retryable: boolean
  constructor(code: string, message: string, options: { readonly retryable?: boolean; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? false
  }
}
