import { type ApiError, PlumblineError } from '@plumbline/schemas'

/** What a refused request gets: HTTP status, words, the google.rpc code that OTLP wants, and when to try again. */
export interface Problem {
  readonly status: number
  readonly body: ApiError
  readonly rpcCode: number
  readonly retryAfterS?: number
}

interface Known {
  readonly status: number
  readonly rpcCode: number
  readonly remedy: string
  readonly retryAfterS?: number
}

/** Documented in the OpenAPI document; a test holds the two together. */
export const PROBLEMS: Readonly<Record<string, Known>> = {
  TOKEN_MISSING_OR_WRONG: {
    status: 401,
    rpcCode: 16,
    remedy: 'Send "Authorization: Bearer <token>". It is the configured token, else the one in keys/token of the data folder.',
  },
  BODY_EMPTY: { status: 400, rpcCode: 3, remedy: 'Send one JSON object, a JSON list, or one JSON object per line.' },
  BODY_TOO_LARGE: { status: 413, rpcCode: 3, remedy: 'Send fewer events per request.' },
  TOO_MANY_EVENTS: { status: 413, rpcCode: 3, remedy: 'Send at most 10,000 events per request.' },
  ENCODING_UNSUPPORTED: { status: 415, rpcCode: 3, remedy: 'Send the body as it is or with Content-Encoding: gzip.' },
  MEDIA_TYPE_UNSUPPORTED: { status: 415, rpcCode: 3, remedy: 'Send application/x-protobuf or application/json.' },
  GZIP_INVALID: { status: 400, rpcCode: 3, remedy: 'Check that the body is packed once, with gzip.' },
  OTLP_MALFORMED: { status: 400, rpcCode: 3, remedy: 'Send an OTLP ExportTraceServiceRequest.' },
  IDEMPOTENCY_KEY_INVALID: { status: 400, rpcCode: 3, remedy: 'Send 1 to 200 printable ASCII characters.' },
  IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    rpcCode: 3,
    remedy: 'Send another body with another key; the same key is for the same body again.',
  },
  EVENTS_REFUSED: { status: 422, rpcCode: 3, remedy: 'Correct the events as `errors` says; they are in the dead letters.' },
  HOST_UNKNOWN: {
    status: 421,
    rpcCode: 3,
    remedy: 'Use localhost or the address in numbers, or name the host in allowedHosts (PLUMBLINE_ALLOWED_HOSTS).',
  },
  RATE_LIMITED: { status: 429, rpcCode: 8, remedy: 'Wait as long as Retry-After says; send more events per request.', retryAfterS: 1 },
  OVERLOADED: { status: 503, rpcCode: 14, remedy: 'Wait as long as Retry-After says and send the same request again.', retryAfterS: 1 },
  STORE_UNAVAILABLE: { status: 503, rpcCode: 14, remedy: 'Nothing was taken in. Send the same request again later.', retryAfterS: 5 },
  INGEST_UNKNOWN: {
    status: 503,
    rpcCode: 14,
    remedy: 'The events may be in already. Send the same request again with the same Idempotency-Key; without one they may be twice.',
    retryAfterS: 5,
  },
  CHANGES_CLOSED: {
    status: 403,
    rpcCode: 7,
    remedy: 'Make a key with plumbline changes key, which registers its public half with the service; see docs/changes.md.',
  },
  SIGNATURE_MISSING_OR_WRONG: {
    status: 401,
    rpcCode: 16,
    remedy:
      'Sign the very bytes of the body with the deploy key (Ed25519) and send Plumbline-Key: <its name> and Plumbline-Signature: <base64>; a token is not asked for.',
  },
  CHANGE_INVALID: { status: 400, rpcCode: 3, remedy: 'Correct the field as the message says and sign the new body.' },
  CHANGE_ID_REUSED: { status: 409, rpcCode: 6, remedy: 'Announce another change under another id, or leave the id out.' },
  CHANGES_FULL: {
    status: 409,
    rpcCode: 8,
    remedy: 'Announce shorter windows, or withdraw what is over with plumbline changes withdraw.',
  },
  CHANGE_UNSTORED: {
    status: 503,
    rpcCode: 14,
    remedy: 'Send the very same request again: announced twice it takes effect once.',
    retryAfterS: 5,
  },
  DEPLOY_KEYS_INVALID: { status: 500, rpcCode: 13, remedy: 'See the log of the service: the file of deploy keys has a mistake.' },
  REQUEST_INVALID: { status: 400, rpcCode: 3, remedy: 'Correct the request as the message says.' },
  NOT_FOUND: { status: 404, rpcCode: 5, remedy: 'See /v1/openapi.json for what there is.' },
  INTERNAL: { status: 500, rpcCode: 13, remedy: 'See the log of the service.' },
}

const problem = (code: string, message: string): Problem => {
  const known = PROBLEMS[code] ?? (PROBLEMS['INTERNAL'] as Known)
  return {
    status: known.status,
    rpcCode: known.rpcCode,
    body: { code, message, remedy: known.remedy },
    ...(known.retryAfterS === undefined ? {} : { retryAfterS: known.retryAfterS }),
  }
}

const FASTIFY_CODES: Readonly<Record<string, string>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'BODY_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'MEDIA_TYPE_UNSUPPORTED',
  FST_UNDER_PRESSURE: 'OVERLOADED',
  FST_ERR_BAD_URL: 'REQUEST_INVALID',
}

/** Words of our own where the framework's would repeat what was sent or name its parts. */
const MESSAGES: Readonly<Record<string, string>> = {
  FST_UNDER_PRESSURE: 'The service is too busy.',
  FST_ERR_BAD_URL: 'The address has a percent sign that is followed by no byte of UTF-8.',
}

/** Every error as a Problem. Our own failures show no detail: those go to the log. */
export const toProblem = (error: unknown): Problem => {
  if (error instanceof PlumblineError) {
    if (PROBLEMS[error.code] !== undefined) return problem(error.code, error.message)
    return problem('INTERNAL', 'The request failed inside the service.')
  }
  const { code, statusCode, message } = error as { code?: string; statusCode?: number; message?: string }
  const known = FASTIFY_CODES[code ?? '']
  if (known !== undefined) return problem(known, MESSAGES[code ?? ''] ?? message ?? '')
  if (statusCode === 429) return problem('RATE_LIMITED', 'Too many requests.')
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return { ...problem('REQUEST_INVALID', message ?? ''), status: statusCode }
  return problem('INTERNAL', 'The request failed inside the service.')
}
