import { PlumblineError, SCORED_COLUMNS, SCORED_FLAGS, type ScoredWire, scoredColumnsOf } from '@plumbline/schemas'
import { DEPARTS_TAIL, ROLE, SIGHTING_MS, type Signal } from './core/signal.ts'

type Name = (typeof SCORED_COLUMNS)[number]['name']
const INDEX = Object.fromEntries(SCORED_COLUMNS.map(({ name }, i) => [name, i])) as Readonly<Record<Name, number>>

const FIXED: Readonly<Partial<Record<ScoredWire, number>>> = { UInt8: 1, UInt16: 2, UInt32: 4, UInt64: 8, Int64ms: 8, Float32: 4 }
const ITEM: Readonly<Partial<Record<ScoredWire, number>>> = { String: 1, ArrayUInt8: 1, ArrayFloat32: 4 }

/** Rows that say nothing new: repeats, history that comes in any order, and what is days old. */
const PASSED_OVER = SCORED_FLAGS.duplicate | SCORED_FLAGS.historic | SCORED_FLAGS.late
const STEPS = SCORED_FLAGS.untrustedRead | SCORED_FLAGS.sensitiveRead | SCORED_FLAGS.outsideWrite
/** Of the sightings of a time; beyond them some are made twice, which changes nothing. */
const MOST_SIGHTINGS = 200_000

/** Remembers for some minutes what was seen, by hash. */
class Seen {
  #at = 0
  #now = new Set<number>()
  #before = new Set<number>()

  /** Whether it is the first of its kind within ten minutes, or nearly. */
  isNew(hash: number, time: number): boolean {
    const at = Math.floor(time / SIGHTING_MS)
    if (at > this.#at || this.#now.size >= MOST_SIGHTINGS) {
      this.#before = at === this.#at + 1 ? this.#now : new Set()
      this.#now = new Set()
      this.#at = Math.max(at, this.#at)
    }
    const set = at < this.#at ? this.#before : this.#now
    if (set.has(hash)) return false
    set.add(hash)
    return true
  }
}

/**
 * Looks through blocks of scored rows for what matters to others than their identity. Only that is decoded: of ordinary rows a
 * few numbers are read, and names are compared by their hash.
 */
export class RowReader {
  readonly #sources = new Map<number, Seen>()
  readonly #places = new Map<number, Seen>()
  readonly #start = new Int32Array(SCORED_COLUMNS.length)
  readonly #end = new Int32Array(SCORED_COLUMNS.length)
  #bytes: Buffer = Buffer.alloc(0)
  rows = 0

  /** Hands on what matters; returns the newest arrival, ms, or 0 without rows. Errors: SCORED_SCHEMA_UNKNOWN, SCORED_BLOCK_INVALID. */
  read(payload: Uint8Array, version: number, take: (signal: Signal) => void): number {
    const columns = scoredColumnsOf(version)
    if (columns === undefined) {
      throw new PlumblineError(
        'SCORED_SCHEMA_UNKNOWN',
        `Scored rows have schema version ${version}, which this build does not know. Start the newer Plumbline that wrote them.`,
      )
    }
    this.#bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length)
    this.#start.fill(0)
    this.#end.fill(0)
    let newest = 0
    for (let at = 0; at < payload.length; ) {
      for (let i = 0; i < columns.length; i++) at = this.#place(i, columns[i]!.wire, at)
      if (at > payload.length) throw new PlumblineError('SCORED_BLOCK_INVALID', 'A block of scored rows ends inside a row.')
      this.rows++
      newest = Math.max(newest, this.#int64(INDEX.ingest_time))
      this.#look(take)
    }
    return newest
  }

  #place(column: number, wire: ScoredWire, from: number): number {
    const fixed = FIXED[wire]
    let at = from
    let length = fixed ?? 0
    if (fixed === undefined) {
      for (let unit = 1; ; unit *= 128) {
        const byte = this.#bytes[at++] ?? 0
        length += (byte & 127) * unit
        if (byte < 128) break
      }
      length *= ITEM[wire] ?? 1
    }
    this.#start[column] = at
    this.#end[column] = at + length
    return at + length
  }

  #look(take: (signal: Signal) => void): void {
    const flags = this.#bytes.readUInt32LE(this.#start[INDEX.flags])
    if ((flags & PASSED_OVER) !== 0) return
    const time = Math.min(this.#int64(INDEX.event_time), this.#int64(INDEX.ingest_time))
    const roles = this.#rolesOf(flags, time)
    if (roles !== 0) take(this.#signal(flags, time, roles))
  }

  #rolesOf(flags: number, time: number): number {
    const shard = this.#bytes.readUInt16LE(this.#start[INDEX.shard])
    let roles = 0
    const modelled = (flags & SCORED_FLAGS.unmodelled) === 0
    if ((flags & SCORED_FLAGS.alerted) !== 0 || (modelled && this.#bytes.readFloatLE(this.#start[INDEX.tail_log10]) >= DEPARTS_TAIL))
      roles |= ROLE.departs
    const isJoined = this.#isThere(INDEX.root) || this.#isThere(INDEX.on_behalf_of)
    if ((flags & STEPS) !== 0 && isJoined) roles |= ROLE.step
    const who = this.#hash(INDEX.source_ip, this.#hash(INDEX.version_release, this.#hash(INDEX.identity, this.#hash(INDEX.tenant, 0))))
    if (seenIn(this.#sources, shard).isNew(who, time)) roles |= ROLE.sighting
    if (this.#isThere(INDEX.destination)) {
      const where = this.#hash(INDEX.destination, this.#hash(INDEX.tenant, 1))
      if (seenIn(this.#places, shard).isNew(where, time)) roles |= ROLE.place
    }
    return roles
  }

  #signal(flags: number, time: number, roles: number): Signal {
    const bytes = this.#bytes
    return {
      tenant: this.#text(INDEX.tenant),
      identity: this.#text(INDEX.identity),
      kind: bytes[this.#start[INDEX.identity_kind]!] ?? 0,
      time,
      shard: bytes.readUInt16LE(this.#start[INDEX.shard]),
      offset: this.#int64(INDEX.offset),
      action: this.#text(INDEX.action),
      resource: this.#text(INDEX.resource),
      destination: this.#text(INDEX.destination),
      source: this.#text(INDEX.source_ip),
      root: this.#text(INDEX.root),
      by: this.#text(INDEX.on_behalf_of),
      release: this.#text(INDEX.version_release),
      model: this.#text(INDEX.version_model),
      flags,
      score: bytes.readFloatLE(this.#start[INDEX.score]),
      maturity: bytes.readFloatLE(this.#start[INDEX.maturity]),
      roles,
    }
  }

  #isThere(column: number): boolean {
    return this.#end[column]! > this.#start[column]!
  }

  #text(column: number): string {
    return this.#bytes.toString('utf8', this.#start[column], this.#end[column])
  }

  /** Whole numbers up to 2^53. */
  #int64(column: number): number {
    const at = this.#start[column]!
    return this.#bytes.readInt32LE(at + 4) * 4_294_967_296 + this.#bytes.readUInt32LE(at)
  }

  /** FNV-1a in 32 bits, twice over by another start: 53 bits tell names apart well enough for what is only seen again. */
  #hash(column: number, seed: number): number {
    let low = (seed >>> 0) ^ 0x811c9dc5
    let high = Math.floor(seed / 4_294_967_296) ^ 0x01000193
    for (let at = this.#start[column]!; at < this.#end[column]!; at++) {
      low = Math.imul(low ^ this.#bytes[at]!, 0x01000193)
      high = Math.imul(high ^ this.#bytes[at]!, 0x85ebca6b)
    }
    return ((high >>> 0) & 0x1fffff) * 4_294_967_296 + (low >>> 0)
  }
}

const seenIn = (map: Map<number, Seen>, shard: number): Seen => {
  let seen = map.get(shard)
  if (seen === undefined) map.set(shard, (seen = new Seen()))
  return seen
}
