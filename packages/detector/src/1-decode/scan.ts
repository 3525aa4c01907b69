import { EVENT_LIMITS } from '@plumbline/schemas'
import { DecodedEvent, HASHES_AT, S, SCALARS_AT, STRING_FIELDS } from '../record.ts'
import type { SipHash } from '../math/siphash.ts'
import { instantiate } from '../math/wasm-module.ts'
import { KERNEL_BASE64 } from './kernel.generated.ts'
import { networkOf } from './network.ts'
import { EVENT, INPUT, writeTables } from './shapes.ts'

interface Kernel {
  readonly memory: { readonly buffer: ArrayBuffer }
  scan(length: number): number
  hash(fields: number, origin: number, k0l: number, k0h: number, k1l: number, k1h: number): void
}

/** Names that baselines count, and the id. */
const HASHED: readonly number[] = [
  S.id,
  S.identity,
  S.versionRelease,
  S.versionModel,
  S.versionPrompt,
  S.versionTools,
  S.versionCode,
  S.delegate,
  S.session,
  S.action,
  S.resource,
  S.resourceClass,
  S.resourceSegment,
  S.segment,
  S.destination,
  S.ip,
  S.userAgent,
]
const HASHED_BITS = HASHED.reduce((bits, field) => bits | (1 << field), 0)

/** Keyed 64-bit hashes of an event's names by field, as two halves; 0 where absent. Of an address: of its network. */
export interface Hashes {
  readonly lo: Uint32Array
  readonly hi: Uint32Array
}

/**
 * Single-pass reader of the event shapes that senders and the gateway really produce: known keys once each, ASCII without
 * escapes, plain numbers, one level of flat objects. It never decides that an event is bad: anything it does not expect
 * returns false and the full decoder takes over. What it accepts must equal what the full decoder makes of the same
 * bytes (test/hostile/scanner.test.ts). The reading is assembly/scanner.ts, sixteen bytes at a time; where the engine
 * cannot run that, the full decoder reads everything, with the same results.
 */
export class Scanner {
  /** Filled by `scan` without a copy: its strings lie in the kernel's memory until the next scan. */
  readonly event: DecodedEvent
  readonly hashes: Hashes
  readonly #kernel: Kernel | null
  readonly #memory: Uint8Array
  readonly #scalars: Int32Array

  /** @param kernel false leaves everything to the full decoder, as on an engine without WebAssembly SIMD. */
  constructor(kernel = true) {
    this.#kernel = kernel ? instantiate<Kernel>(KERNEL_BASE64) : null
    const buffer = this.#kernel === null ? new ArrayBuffer(INPUT) : this.#kernel.memory.buffer
    this.#memory = new Uint8Array(buffer)
    this.#scalars = new Int32Array(buffer, EVENT + SCALARS_AT, 4)
    this.event = new DecodedEvent(buffer, EVENT)
    this.hashes = {
      lo: new Uint32Array(buffer, EVENT + HASHES_AT, STRING_FIELDS),
      hi: new Uint32Array(buffer, EVENT + HASHES_AT + STRING_FIELDS * 4, STRING_FIELDS),
    }
    writeTables(this.#memory)
  }

  /** Reads bytes[start, end) into `out`. False: unknown shape, use the full decoder; `out` is then undefined. */
  scan(bytes: Uint8Array, start: number, end: number, out: DecodedEvent): boolean {
    const length = end - start
    if (this.#kernel === null || length > EVENT_LIMITS.eventBytes) return false
    this.#memory.set(length === bytes.length ? bytes : bytes.subarray(start, end), INPUT)
    if (this.#kernel.scan(length) === 0) return false
    const { event } = this
    const scalars = this.#scalars
    event.bytes = this.#memory
    event.kind = scalars[0]!
    event.outcome = scalars[1]!
    event.provenance = scalars[2]!
    event.untrusted = scalars[3]!
    if (out !== event) out.copy(event)
    return true
  }

  /** Hashes the names of `event` into `hashes`, with the tenant's key. */
  hashNames(sip: SipHash): void {
    const { event } = this
    if (this.#kernel === null) return this.#hashPlainly(sip)
    if (event.bytes === this.#memory) {
      this.#kernel.hash(HASHED_BITS, 0, sip.k0l, sip.k0h, sip.k1l, sip.k1h)
      return
    }
    // From the full decoder: the strings lie in bytes of their own, and an address may be IPv6, which the kernel cannot read.
    this.#memory.set(event.bytes, INPUT)
    this.#kernel.hash(HASHED_BITS, INPUT, sip.k0l, sip.k0h, sip.k1l, sip.k1h)
    if (event.has(S.ip)) this.#hashNetwork(sip)
  }

  #hashPlainly(sip: SipHash): void {
    const { event, hashes } = this
    hashes.lo.fill(0)
    hashes.hi.fill(0)
    for (const field of HASHED) {
      if (!event.has(field) || field === S.ip) continue
      sip.hash(event.bytes, event.start[field]!, event.end[field]!)
      hashes.lo[field] = sip.lo
      hashes.hi[field] = sip.hi
    }
    if (event.has(S.ip)) this.#hashNetwork(sip)
  }

  #hashNetwork(sip: SipHash): void {
    const network = encoder.encode(networkOf(this.event.text(S.ip)))
    sip.hash(network, 0, network.length)
    this.hashes.lo[S.ip] = sip.lo
    this.hashes.hi[S.ip] = sip.hi
  }
}

const encoder = new TextEncoder()
