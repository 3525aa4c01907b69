import {
  type Alert,
  type AlertCapsule,
  DEAD_LETTER_PAYLOAD_BYTES,
  type DeadLetter,
  type DetectionConfig,
  PlumblineError,
  type Rejection,
  rejection,
  SCORED_FLAGS,
  SCORED_SCHEMA_VERSION,
} from '@plumbline/schemas'
import { N, S } from './record.ts'
import { Scanner } from './1-decode/scan.ts'
import { shardOf } from './2-identify/shard.ts'
import { Slots } from './state/slots.ts'
import { startAnew } from './state/windows.ts'
import { TenantState, type ReadyRelease } from './2-identify/tenants.ts'
import { ScoredBlock } from './9-outbox/scored-block.ts'
import { applyControl } from './control.ts'
import { score } from './6-score/score.ts'
import { raiseRisk } from './7-risk/risk.ts'
import { log10 } from './math/functions.ts'
import { runEvent, type Stages } from './pipeline.ts'
import type { ChunkCommit, LogRecord, ReleaseSource, ShardProcessor, SlotSource } from './ports.ts'
import type { BrokenCounts } from './invariants.ts'
import { readyRelease } from './release/ready.ts'
import { metaOf, restoreShard, type Shard } from './shard-state.ts'
import { configHash } from './version.ts'
import { Work } from './work.ts'

export interface DetectorOptions {
  readonly config: DetectionConfig
  /** 16 secret bytes; all keyed hashes derive from them. The same log needs the same key to give the same scores. */
  readonly masterKey: Uint8Array
  readonly slots: SlotSource
  readonly releases: ReleaseSource
  /** Most identities held in memory at once, over all shards of this process. */
  readonly residentSlots: number
  /** Name of the log, part of positions and alert ids. */
  readonly topic: string
}

/** Counters a worker reads after each chunk; they only ever grow. */
export interface DetectorCounters {
  events: number
  controls: number
  rejected: number
  alerts: number
  duplicates: number
  /** Scored and marked, not learned from. */
  late: number
  /** Sessions that opened while all places of their identity were taken by open ones. */
  sessionsOverflow: number
  quiet: Record<'exception' | 'safe' | 'maintenance' | 'calendar' | 'grouped' | 'announced', number>
  /** Invariants found broken. */
  broken: BrokenCounts
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const encoder = new TextEncoder()
const DEFAULT_TENANT = encoder.encode('default')
const EVENT_PREFIX = 101 // e
const HISTORIC_PREFIX = 104 // h
const CONTROL_PREFIX = 99 // c
const COLON = 58
const NEVER_LEARNED = SCORED_FLAGS.withheld | SCORED_FLAGS.late | SCORED_FLAGS.duplicate
/** What alerts is learned only as part of what lasts and is adopted, and is said to be (C10). */
const neverLearned = (flags: number): number =>
  (flags & SCORED_FLAGS.adopting) !== 0 ? NEVER_LEARNED : NEVER_LEARNED | SCORED_FLAGS.alerted

/**
 * The detector: records in, commits out, nothing else. One instance serves all shards of a process; scores and alerts
 * of a shard depend on that shard's records alone (INV-1).
 */
export class Detector implements ShardProcessor {
  readonly counters: DetectorCounters = {
    events: 0,
    controls: 0,
    rejected: 0,
    alerts: 0,
    duplicates: 0,
    late: 0,
    sessionsOverflow: 0,
    quiet: { exception: 0, safe: 0, maintenance: 0, calendar: 0, grouped: 0, announced: 0 },
    broken: { 'INV-5': 0, 'INV-6': 0 },
  }
  readonly slots: Slots
  readonly #options: DetectorOptions
  readonly #shards = new Map<number, Shard>()
  readonly #scanner = new Scanner()
  readonly #work = new Work(this.#scanner)
  readonly #block = new ScoredBlock()
  readonly #ready = new Map<string, ReadyRelease>()
  readonly #configHash: string
  readonly #stages: Stages & { historic: boolean; learning: boolean; dirty: number[] }
  #shard!: Shard
  #alerts: Alert[] = []
  #capsules: AlertCapsule[] = []
  #deadLetters: DeadLetter[] = []
  #sessionKeys = false

  constructor(options: DetectorOptions) {
    this.#options = options
    this.slots = new Slots(options.residentSlots, options.slots)
    this.#configHash = configHash(options.config)
    this.#stages = {
      config: options.config,
      slots: this.slots,
      block: this.#block,
      scanner: this.#scanner,
      dirty: [],
      learning: true,
      historic: false,
      topic: options.topic,
      configHash: this.#configHash,
      groupWindowMs: options.config.groupWindowMs,
      adoptAfterMs: options.config.adoptAfterDays * 86_400_000,
      tailFloorLog10: -log10(options.config.tailFloor),
      tenantOf: (w) => this.#tenantOf(w),
      keyOf: (w) => this.#keyOf(w),
      belongs: (w) => this.#belongs(w),
      alert: (alert, capsule) => {
        this.#alerts.push(alert)
        if (capsule !== null) this.#capsules.push(capsule)
        this.counters.alerts++
      },
      raiseRisk,
      rescore: score,
      quiet: (reason) => {
        this.counters.quiet[reason]++
      },
    }
  }

  open(shard: number, from: { readonly nextOffset: number; readonly meta: ReadonlyMap<string, Uint8Array> }): void {
    this.forget(shard)
    const state = restoreShard(from.nextOffset, from.meta, {
      newTenant: (name) => this.#newTenant(name),
      useRelease: (tenant, id, sha256) => this.useRelease(tenant, id, sha256),
    })
    this.#shards.set(shard, state)
  }

  process(shard: number, records: readonly LogRecord[]): ChunkCommit {
    const state = this.#shards.get(shard)
    if (state === undefined) throw new PlumblineError('SHARD_NOT_OPEN', `Shard ${shard} was not opened.`)
    this.#shard = state
    this.#stages.dirty = state.dirty
    this.#alerts = []
    this.#capsules = []
    this.#deadLetters = []
    this.#block.reset()
    let first = -1
    let last = -1
    for (const record of records) {
      const rows = this.#block.rows
      this.#record(shard, record)
      if (this.#block.rows === rows) continue
      if (first < 0) first = record.offset
      last = record.offset
    }
    state.next = (records.at(-1)?.offset ?? state.next - 1) + 1
    return {
      shard,
      nextOffset: state.next,
      slots: state.dirty.map((slot) => ({ key: this.slots.keyOf(slot), bytes: this.slots.pack(slot) })),
      meta: [...state.changedTenants].flatMap(metaOf),
      scored:
        first < 0
          ? null
          : {
              schemaVersion: SCORED_SCHEMA_VERSION,
              firstOffset: first,
              lastOffset: last,
              rows: this.#block.rows,
              bytes: this.#block.take(),
            },
      alerts: this.#alerts,
      capsules: this.#capsules,
      deadLetters: this.#deadLetters,
    }
  }

  settle(shard: number): void {
    const state = this.#shards.get(shard)
    if (state === undefined) return
    this.slots.settle(state.dirty)
    state.dirty.length = 0
    this.#checkMemory()
    for (const tenant of state.changedTenants) {
      tenant.changed = false
      tenant.open.changed.clear()
    }
    state.changedTenants.clear()
  }

  /** Beyond the cap only what other shards touched since their last commit may be held. */
  #checkMemory(): void {
    let touched = 0
    for (const { dirty } of this.#shards.values()) touched += dirty.length
    if (this.slots.resident - touched > this.slots.capacity) this.counters.broken['INV-6']++
  }

  forget(shard: number): void {
    if (this.#shards.delete(shard)) this.slots.forget(shard)
  }

  /**
   * Puts a release into use for a tenant of a shard. Returns why not: it was made for another tenant, or is not newer than
   * the one in force. Throws RELEASE_UNSUPPORTED when it is not to be had here.
   */
  useRelease(tenant: TenantState, id: string, sha256: string): Rejection | null {
    let ready = this.#ready.get(sha256)
    if (ready === undefined) {
      const bytes = this.#options.releases.artifact(id, sha256)
      if (bytes === undefined) throw new PlumblineError('RELEASE_UNSUPPORTED', `Release ${id} is not available here.`, { retryable: true })
      ready = readyRelease(bytes)
      this.#ready.set(sha256, ready)
    }
    const before = tenant.release
    const refused = refusalOf(ready, before, tenant.name)
    if (refused === null) {
      tenant.release = ready
      tenant.releaseId = id
    }
    if (refused !== null || (before !== null && before !== ready)) this.#forgetUnused()
    return refused
  }

  /** Releases that no tenant of an open shard runs any more; one that comes back is read again. */
  #forgetUnused(): void {
    const inUse = new Set<ReadyRelease | null>()
    for (const shard of this.#shards.values()) for (const tenant of shard.tenants.values()) inUse.add(tenant.release)
    for (const [sha256, ready] of this.#ready) if (!inUse.has(ready)) this.#ready.delete(sha256)
  }

  /**
   * From here on baselines are frozen (C9): every session starts from its identity's slot as it stands now, and what
   * happens in it is forgotten with it. Only for evaluations; the log of a deployment never runs frozen.
   */
  freeze(): void {
    this.#stages.learning = false
    this.#sessionKeys = true
  }

  #record(shard: number, record: LogRecord): void {
    const { key, value } = record
    const w = this.#work
    w.shard = shard
    w.offset = record.offset
    w.ingestTimeMs = record.ingestTimeMs
    const prefix = key[1] === COLON ? key[0] : 0
    this.#stages.historic = prefix === HISTORIC_PREFIX
    if (prefix === CONTROL_PREFIX) {
      this.counters.controls++
      const refused = applyControl(this, w, value, record.ingestTimeMs)
      if (refused !== null) this.#deadLetter(record, 'decode', refused)
      return
    }
    if (prefix !== EVENT_PREFIX && prefix !== HISTORIC_PREFIX) {
      this.#deadLetter(record, 'decode', rejection('RECORD_KEY_INVALID'))
      return
    }
    const outcome = runEvent(w, value, this.#stages)
    if (outcome === null) {
      this.counters.events++
      if (w.duplicate) this.counters.duplicates++
      if (w.late) this.counters.late++
      if (w.sessionOverflow && !w.duplicate) this.counters.sessionsOverflow++
      if ((w.flags & SCORED_FLAGS.learned) !== 0 && (w.flags & neverLearned(w.flags)) !== 0) this.counters.broken['INV-5']++
      w.tenant.events++
      return
    }
    this.#deadLetter(record, outcome.stage, outcome.rejection)
  }

  #deadLetter(record: LogRecord, stage: DeadLetter['stage'], why: Rejection): void {
    this.counters.rejected++
    this.#deadLetters.push({
      v: 1,
      stage,
      code: why.code,
      field: why.field,
      message: why.message,
      tenant: this.#tenantOfKey(record.key),
      topic: this.#options.topic,
      shard: this.#work.shard,
      offset: record.offset,
      ingestTime: record.ingestTimeMs,
      payload: Buffer.from(record.value.subarray(0, DEAD_LETTER_PAYLOAD_BYTES)).toString('base64'),
    })
  }

  #tenantOfKey(key: Uint8Array): string {
    const text = decoder.decode(key.subarray(2))
    const bar = text.indexOf('|')
    return bar > 0 ? text.slice(0, bar) : ''
  }

  /** State of a tenant in the shard at hand, made on first sight. */
  tenant(name: string): TenantState {
    let tenant = this.#shard.tenants.get(name)
    if (tenant === undefined) {
      tenant = this.#newTenant(name)
      this.#shard.tenants.set(name, tenant)
    }
    this.#shard.changedTenants.add(tenant)
    return tenant
  }

  #newTenant(name: string): TenantState {
    return new TenantState(name, this.#options.masterKey)
  }

  #tenantOf(w: Work): TenantState {
    const shard = this.#shard
    const { event } = w
    const absent = !event.has(S.tenant)
    const bytes = absent ? DEFAULT_TENANT : event.bytes
    const start = absent ? 0 : event.start[S.tenant]!
    const end = absent ? DEFAULT_TENANT.length : event.end[S.tenant]!
    if (shard.last !== null && equal(bytes, start, end, shard.lastBytes)) {
      shard.changedTenants.add(shard.last)
      return shard.last
    }
    shard.lastBytes = bytes.slice(start, end)
    shard.last = this.tenant(decoder.decode(shard.lastBytes))
    return shard.last
  }

  #keyOf(w: Work): void {
    const { hashes, event } = w
    if (!this.#sessionKeys || !event.has(S.session)) return
    const lo = hashes.lo[S.identity]!
    const hi = hashes.hi[S.identity]!
    // A slot of the session's own, copied from the identity's on its first event.
    const sessionLo = (lo ^ Math.imul(hashes.lo[S.session]!, 0x9e3779b1)) >>> 0
    const sessionHi = (hi ^ Math.imul(hashes.hi[S.session]!, 0x85ebca6b)) >>> 0
    const copy = this.slots.copyOnFirstUse(w.shard, lo, hi, sessionLo, sessionHi, this.#stages.dirty)
    if (copy >= 0) startAnew(this.slots.segment(copy), this.slots.base(copy), Math.min(event.number[N.time]!, w.ingestTimeMs))
    hashes.lo[S.identity] = sessionLo
    hashes.hi[S.identity] = sessionHi
  }

  /** Keyed hash of an identity's name, as its slot is kept under. */
  identityKey(tenant: TenantState, identity: string): { readonly lo: number; readonly hi: number } {
    return tenant.hashOf(identity)
  }

  /** Tenants met in an open shard, by name. */
  tenantsOf(shard: number): ReadonlyMap<string, TenantState> {
    return this.#shards.get(shard)?.tenants ?? new Map<string, TenantState>()
  }

  /** Whether the identity of the event at hand belongs into this shard: by what the record says, not by its key. */
  #belongs(w: Work): boolean {
    const { event } = w
    const tenant = event.has(S.tenant) ? event.text(S.tenant) : 'default'
    return shardOf(tenant, event.text(S.identity), this.#options.config.shards) === w.shard
  }

  get stages(): Stages {
    return this.#stages
  }
}

const refusalOf = (release: ReadyRelease, inForce: ReadyRelease | null, tenant: string): Rejection | null => {
  const { header } = release
  if (header.tenant !== tenant) return rejection('RELEASE_REFUSED', 'releaseId', 'The release was made for another tenant.')
  if (inForce === null || inForce === release || header.sequence > inForce.header.sequence) return null
  return rejection('RELEASE_REFUSED', 'releaseId', `The release has sequence ${header.sequence}; ${inForce.header.sequence} is in force.`)
}

const equal = (a: Uint8Array, start: number, end: number, b: Uint8Array): boolean => {
  if (end - start !== b.length) return false
  for (let i = 0; i < b.length; i++) if (a[start + i] !== b[i]) return false
  return true
}
