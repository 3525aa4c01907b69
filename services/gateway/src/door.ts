import { canonicalEvent, type Decoded } from '@plumbline/detector/decode'
import type { AppendRecord } from '@plumbline/detector/ports'
import { eventKey, shardOfKey } from '@plumbline/detector/shard'
import {
  DEAD_LETTER_PAYLOAD_BYTES,
  type DeadLetter,
  type Event,
  type IngestAnswer,
  type IngestNotice,
  PlumblineError,
  type Rejection,
  rejection,
} from '@plumbline/schemas'
import type { Metrics } from '@plumbline/runtime'
import type { Credential } from './credentials.ts'
import type { IngestBatch, IngestListener, IngestPort } from './ports.ts'
import type { TenantClaim, TenantLedger } from './tenants.ts'
import { createWarnings } from './warnings.ts'

/** Events may be this much ahead of their arrival, ms (contracts C2). */
export const FUTURE_TOLERANCE_MS = 5 * 60_000
const MAX_LISTED_ERRORS = 1000
const YIELD_EVERY = 500

/** One input of a request: decoded or not, with the bytes that go to the dead letters when it is refused. */
export interface Candidate {
  readonly index: number
  readonly decoded: Decoded
  readonly bytes: Uint8Array
}

/** What makes a repeated request one: the sender's key, and a fingerprint of what it said with it. */
export interface Repeatable {
  readonly key: string
  readonly fingerprint: Uint8Array
}

interface Admission {
  readonly answer: IngestAnswer
  /** The answer given to the first request with this Idempotency-Key. */
  readonly repeated?: Uint8Array
}

export interface DoorOptions {
  readonly port: IngestPort
  readonly shards: number
  /** Arrival time; see createIngestClock. */
  readonly clock: () => number
  readonly metrics: Pick<
    Metrics,
    | 'plumbline_ingest_events_total'
    | 'plumbline_ingest_rejected_total'
    | 'plumbline_ingest_fields_left_out_total'
    | 'plumbline_dead_letters_total'
  >
  readonly onAccepted?: IngestListener | undefined
  /** Tenants that only a token bound to them may write to, like the demo's. */
  readonly reservedTenants?: readonly string[] | undefined
  /** Bounds how many tenants are opened; all doors of a process share one. Absent: no bound. */
  readonly tenants?: TenantLedger | undefined
  /** Last word on a record of an accepted event: an operator's files bring their own arrival. Absent: as it stands. */
  readonly stamp?: ((record: AppendRecord, event: Event) => AppendRecord) | undefined
}

/**
 * Where every event enters, whatever it came in: binds it to its credential, stamps its arrival, makes it durable.
 * Errors: STORE_UNAVAILABLE, INGEST_UNKNOWN (retryable); IDEMPOTENCY_KEY_REUSED.
 */
export interface Door {
  admit(candidates: readonly Candidate[], credential: Credential, via: IngestNotice['via'], repeatable?: Repeatable): Promise<Admission>
}

/** Arrival times of one process never go back, whatever the system clock does. All who append share one. */
export const createIngestClock = (now: () => number = Date.now): (() => number) => {
  let last = 0
  return () => {
    last = Math.max(last, Math.floor(now()))
    return last
  }
}

interface Refused {
  readonly index: number
  readonly rejection: Rejection
  readonly bytes: Uint8Array
}

export const createDoor = (options: DoorOptions): Door => ({
  async admit(candidates, credential, via, repeatable) {
    // From the stamp to the call of the port nothing waits: records reach the log in the order of their arrival times.
    const ingestTimeMs = options.clock()
    const records: AppendRecord[] = []
    const refused: Refused[] = []
    const warnings = createWarnings()
    const newest = new Map<string, Event>()
    let leftOut = 0
    const claim = options.tenants?.claim(credential.id)
    for (const { index, decoded, bytes } of candidates) {
      const judged = judge(decoded, credential, ingestTimeMs, claim, options.reservedTenants)
      if (judged.ok) {
        if (decoded.ok && decoded.moved !== undefined) warnings.moved(index, decoded.moved)
        const key = eventKey(judged.event.tenant, judged.event.identity.id)
        const record = { shard: shardOfKey(key, options.shards), ingestTimeMs, key, value: judged.canonical }
        records.push(options.stamp?.(record, judged.event) ?? record)
        if (decoded.ok) leftOut += decoded.leftOut ?? 0
        if (options.onAccepted !== undefined) newest.set(`${judged.event.tenant}\n${judged.event.identity.id}`, judged.event)
      } else refused.push({ index, rejection: judged.rejection, bytes })
    }
    const answer: IngestAnswer = {
      accepted: records.length,
      rejected: refused.length,
      errors: refused.slice(0, MAX_LISTED_ERRORS).map(toError),
      ...warnings.answer,
    }
    const tenant = credential.tenant ?? 'default'
    const { repeated } = await store(options.port, claim, {
      records,
      deadLetters: toDeadLetters(refused, tenant, ingestTimeMs),
      ...(claim === undefined ? {} : { values: claim.values }),
      ...(repeatable === undefined
        ? {}
        : {
            idempotency: {
              tenant,
              key: `${credential.id}:${repeatable.key}`,
              fingerprint: repeatable.fingerprint,
              answer: Buffer.from(JSON.stringify(answer)),
              nowMs: ingestTimeMs,
            },
          }),
    })
    if (repeated !== undefined) return { answer, repeated }
    options.metrics.plumbline_ingest_events_total.inc({ source: via }, records.length)
    options.metrics.plumbline_ingest_fields_left_out_total.inc(leftOut)
    for (const {
      rejection: { code },
    } of refused) {
      options.metrics.plumbline_ingest_rejected_total.inc({ code })
      options.metrics.plumbline_dead_letters_total.inc({ stage: 'door', code })
    }
    if (newest.size > 0) options.onAccepted?.([...newest.values()].map((event) => toNotice(event, ingestTimeMs, via)))
    return { answer }
  },
})

/** What a log says when events may be in it all the same. */
const UNKNOWN_OUTCOMES = new Set(['INGEST_UNKNOWN', 'TRANSACTION_UNKNOWN', 'JOURNAL_BEHIND'])

/** Whatever goes wrong in the log, the sender keeps the events: it is told to send them again, and whether that may double them. */
const store = async (port: IngestPort, claim: TenantClaim | undefined, batch: IngestBatch): ReturnType<IngestPort['ingest']> => {
  let stored = false
  try {
    const result = await port.ingest(batch)
    stored = result.repeated === undefined && result.conflict !== true
    if (result.conflict !== true) return result
  } catch (cause) {
    if (cause instanceof PlumblineError && UNKNOWN_OUTCOMES.has(cause.code))
      throw new PlumblineError('INGEST_UNKNOWN', 'The log did not say whether it has the events.', { retryable: true, cause })
    throw new PlumblineError('STORE_UNAVAILABLE', 'The log cannot take events right now.', { retryable: true, cause })
  } finally {
    claim?.settle(stored)
  }
  throw new PlumblineError('IDEMPOTENCY_KEY_REUSED', 'This Idempotency-Key came with another body before; nothing was taken in.')
}

/** Whether a decoded event may enter: its credential, its time, its tenant. */
const judge = (
  decoded: Decoded,
  credential: Credential,
  ingestTimeMs: number,
  claim: TenantClaim | undefined,
  reserved: readonly string[] | undefined,
): Decoded => {
  if (!decoded.ok) return decoded
  const bound = bind(decoded.event, decoded.canonical, credential, reserved)
  if (!bound.ok) return bound
  const aheadMs = bound.event.time - ingestTimeMs
  if (aheadMs > FUTURE_TOLERANCE_MS)
    return {
      ok: false,
      rejection: rejection('TIME_FUTURE', 'time', `is ${Math.ceil(aheadMs / 1000)} s after its arrival; at most 300 s are allowed`),
    }
  const full = claim?.admit(bound.event.tenant) ?? null
  return full === null ? bound : { ok: false, rejection: full }
}

/** Decodes in turns, so that a large request does not keep others waiting. */
export const decodeInTurns = async <T>(inputs: readonly T[], decode: (input: T, index: number) => Candidate): Promise<Candidate[]> => {
  const out: Candidate[] = []
  for (let i = 0; i < inputs.length; i++) {
    if (i > 0 && i % YIELD_EVERY === 0) await new Promise((resolve) => setImmediate(resolve))
    out.push(decode(inputs[i] as T, i))
  }
  return out
}

const mismatch = (field: string): Decoded => ({ ok: false, rejection: rejection('CREDENTIAL_MISMATCH', field) })

/** The credential outranks the event: it fills in what is open and refuses what contradicts it. */
const bind = (event: Event, canonical: Uint8Array, credential: Credential, reserved: readonly string[] = []): Decoded => {
  const { tenant, identity, relays } = credential
  if (tenant !== undefined && event.tenant !== tenant && event.tenant !== 'default') return mismatch('tenant')
  // Nor names that a record key could be taken for one of theirs by.
  const taken = tenant === undefined ? reserved.find((name) => event.tenant === name || event.tenant.startsWith(`${name}|`)) : undefined
  if (taken !== undefined)
    return {
      ok: false,
      rejection: rejection('TENANT_RESERVED', 'tenant', `The tenant ${taken} is reserved for the demo of the service.`),
    }
  if (identity !== undefined && event.identity.id !== identity.id) return mismatch('identity.id')
  if (identity !== undefined && event.identity.kind !== identity.kind) return mismatch('identity.kind')
  const attested = identity !== undefined ? 'token' : relays === true ? event.identity.attested : undefined
  const boundTenant = tenant ?? event.tenant
  if (boundTenant === event.tenant && attested === event.identity.attested) return { ok: true, event, canonical }
  const { attested: _claimed, ...claimedBy } = event.identity
  const bound: Event = { ...event, tenant: boundTenant, identity: attested === undefined ? claimedBy : { ...claimedBy, attested } }
  return { ok: true, event: bound, canonical: canonicalEvent(bound) }
}

const toError = (refused: Refused): IngestAnswer['errors'][number] => ({ index: refused.index, ...refused.rejection })

/** Payload that the dead letters of one request keep, bytes; once it is used up each keeps its first few. */
const PAYLOADS_BYTES = 1024 * 1024
const PAYLOAD_LEAST_BYTES = 128

/** A small packed request can hold very much that is refused: what is kept of it is bounded, so that it cannot fill the disk. */
const toDeadLetters = (refused: readonly Refused[], tenant: string, ingestTime: number): DeadLetter[] => {
  let left = PAYLOADS_BYTES
  return refused.map((r) => {
    const kept = Math.min(r.bytes.length, DEAD_LETTER_PAYLOAD_BYTES, Math.max(left, PAYLOAD_LEAST_BYTES))
    left -= kept
    return toDeadLetter(r, tenant, ingestTime, kept)
  })
}

const toDeadLetter = (refused: Refused, tenant: string, ingestTime: number, kept: number): DeadLetter => ({
  v: 1,
  stage: 'door',
  code: refused.rejection.code,
  field: refused.rejection.field,
  message: refused.rejection.message,
  tenant,
  topic: 'http',
  shard: 0,
  offset: refused.index,
  ingestTime,
  payload: Buffer.from(refused.bytes.subarray(0, kept)).toString('base64'),
})

const toNotice = (event: Event, receivedAt: number, via: IngestNotice['via']): IngestNotice => ({
  receivedAt,
  tenant: event.tenant,
  identity: event.identity.id,
  kind: event.identity.kind,
  attested: event.identity.attested ?? null,
  action: event.action,
  via,
})
