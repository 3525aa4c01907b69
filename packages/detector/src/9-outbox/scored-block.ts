import { SCORED_FLAGS } from '@plumbline/schemas'
import { CATALOGUE_HASH_32 } from '../version.ts'
import { ABSENT, N, S } from '../record.ts'
import type { Work } from '../work.ts'

const TOP = 4
const encoder = new TextEncoder()
const CONFIDENTIAL = 2

/** What the act is in a flow that goes over several identities: who joins rows later does not know the policy. */
const flowFlags = (w: Work): number => {
  const { untrustedRead, sensitiveRead, outsideWrite, newDestination, untold, told } = SCORED_FLAGS
  if (w.event.outcome !== 0) return 0
  let flags = 0
  if (w.isUntrusted) flags |= untrustedRead
  if (w.sensitivity >= CONFIDENTIAL && !w.isWrite) flags |= sensitiveRead
  if (!w.isExternal || !w.isWrite) return flags
  flags |= outsideWrite
  if (w.newDestination) flags |= newDestination
  if (w.event.provenance === ABSENT) return flags
  return flags | (w.event.provenance === TOLD ? told : untold)
}
/** Index of `user` in PROVENANCES. */
const TOLD = 0

/**
 * Scored rows of one chunk as ClickHouse RowBinary in the order of SCORED_COLUMNS, written while scoring: nobody
 * parses or encodes them again on the way to the table.
 */
export class ScoredBlock {
  #buffer = new Uint8Array(1 << 20)
  #view = new DataView(this.#buffer.buffer)
  #p = 0
  rows = 0
  #release = ''
  #releaseBytes = new Uint8Array(0)
  #tenant = ''
  #tenantBytes = new Uint8Array(0)

  reset(): void {
    this.#p = 0
    this.rows = 0
  }

  take(): Uint8Array {
    return this.#buffer.slice(0, this.#p)
  }

  add(w: Work): void {
    if (this.#p + 8192 > this.#buffer.length) this.#grow()
    const { event } = w
    if (w.tenant.name !== this.#tenant) {
      this.#tenant = w.tenant.name
      this.#tenantBytes = encoder.encode(this.#tenant)
    }
    if (w.tenant.releaseId !== this.#release) {
      this.#release = w.tenant.releaseId
      this.#releaseBytes = encoder.encode(this.#release)
    }
    const v = this.#view
    this.#bytes(this.#tenantBytes, 0, this.#tenantBytes.length)
    this.#span(w, S.identity)
    this.#buffer[this.#p++] = event.kind
    this.#int64(event.number[N.time]!)
    this.#int64(w.ingestTimeMs)
    v.setUint16(this.#p, w.shard, true)
    this.#p += 2
    this.#int64(w.offset)
    this.#span(w, S.id)
    this.#span(w, S.session)
    this.#span(w, S.action)
    this.#span(w, S.resourceClass)
    this.#span(w, S.resource)
    this.#span(w, S.destination)
    this.#span(w, S.ip)
    this.#buffer[this.#p++] = event.outcome
    this.#int64(event.number[N.bytesIn]! >= 0 ? event.number[N.bytesIn]! : 0)
    this.#int64(event.number[N.bytesOut]! >= 0 ? event.number[N.bytesOut]! : 0)
    let p = this.#p
    v.setFloat32(p, w.score, true)
    v.setFloat32(p + 4, w.tailLog10, true)
    v.setFloat32(p + 8, w.surprise, true)
    v.setFloat32(p + 12, w.reconstruction, true)
    v.setFloat32(p + 16, w.maturity, true)
    v.setUint32(p + 20, w.flags | flowFlags(w), true)
    this.#p = p + 24
    this.#bytes(this.#releaseBytes, 0, this.#releaseBytes.length)
    p = this.#p
    v.setUint32(p, CATALOGUE_HASH_32, true)
    this.#p = p + 4
    this.#top(w)
    const x = w.featureBytes
    this.#varint(x.length >> 2)
    this.#buffer.set(x, this.#p)
    this.#p += x.length
    this.#span(w, event.has(S.rootSession) ? S.rootSession : S.trace)
    this.#span(w, S.delegate)
    this.#span(w, S.versionRelease)
    this.#span(w, S.versionModel)
    this.rows++
  }

  /** The heaviest contributions, heaviest first; fewer where fewer contribute. */
  #top(w: Work): void {
    const c = w.contributions
    let total = 0
    let n = 0
    for (let i = 0; i < c.length; i++) {
      const value = c[i]!
      if (value <= 0) continue
      total += value
      if (n === TOP && value <= weights[TOP - 1]!) continue
      let at = n < TOP ? n++ : TOP - 1
      for (; at > 0 && weights[at - 1]! < value; at--) {
        weights[at] = weights[at - 1]!
        picked[at] = picked[at - 1]!
      }
      weights[at] = value
      picked[at] = i
    }
    this.#buffer[this.#p++] = n
    for (let i = 0; i < n; i++) this.#buffer[this.#p++] = picked[i]!
    this.#buffer[this.#p++] = n
    for (let i = 0; i < n; i++, this.#p += 4) this.#view.setFloat32(this.#p, weights[i]! / total, true)
  }

  #span(w: Work, field: number): void {
    this.#bytes(w.event.bytes, w.event.start[field]!, w.event.end[field]!)
  }

  #bytes(from: Uint8Array, start: number, end: number): void {
    const length = end - start
    this.#varint(length)
    const to = this.#buffer
    let p = this.#p
    for (let i = start; i < end; i++) to[p++] = from[i]!
    this.#p = p
  }

  #varint(value: number): void {
    let v = value
    while (v >= 128) {
      this.#buffer[this.#p++] = (v & 127) | 128
      v >>>= 7
    }
    this.#buffer[this.#p++] = v
  }

  /** Whole numbers from 0 to 2^53 as little-endian 64 bits. */
  #int64(value: number): void {
    this.#view.setUint32(this.#p, value >>> 0, true)
    this.#view.setUint32(this.#p + 4, Math.floor(value / 4_294_967_296), true)
    this.#p += 8
  }

  #grow(): void {
    const bigger = new Uint8Array(this.#buffer.length * 2)
    bigger.set(this.#buffer.subarray(0, this.#p))
    this.#buffer = bigger
    this.#view = new DataView(bigger.buffer)
  }
}

const picked = new Uint8Array(TOP)
const weights = new Float64Array(TOP)
