import {
  type Alert,
  type AlertCapsule,
  type ControlRecord,
  DEFAULT_DETECTION_CONFIG,
  FEATURE_COUNT,
  type DeadLetter,
  type DetectionConfig,
  type EventInput,
  FEATURE_INDEX,
  type PolicyInput,
  Policy,
  type ReleaseHeader,
  type VersionPart,
} from '@plumbline/schemas'
import { weightCount } from './5-autoencoder/layout.ts'
import { eventKey } from './2-identify/shard.ts'
import { Detector } from './detector.ts'
import type { ChunkCommit, LogRecord, SlotSource } from './ports.ts'
import { type ScoredRow, scoredRows } from './replay/row-binary.ts'
import { packRelease, sha256Hex } from './release/pack.ts'
import { NO_GROUP, packGroup, quad } from './state/groups.ts'
import { H, WINDOW_VALUES } from './state/layout.ts'
import { CATALOGUE_HASH, configHash, DETECTOR_VERSION } from './version.ts'

export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR
/** Monday 2026-10-05 09:00 UTC. */
export const START = Date.UTC(2026, 9, 5, 9)
export const MASTER_KEY = new Uint8Array(16).fill(7)

/** A scored row with all of its columns. */
export type Row = ScoredRow & {
  readonly shard: number
  readonly ingest_time: number
  readonly surprise: number
  readonly reconstruction: number
  readonly maturity: number
  readonly release: string
}

/** Slots of every shard in memory, as a store holds them between commits. */
export class MemorySlots implements SlotSource {
  readonly kept = new Map<string, Uint8Array>()
  static name = (shard: number, key: Uint8Array): string => `${shard}:${Buffer.from(key).toString('hex')}`
  load(shard: number, key: Uint8Array, into: Uint8Array): number {
    const bytes = this.kept.get(MemorySlots.name(shard, key))
    if (bytes === undefined) return -1
    into.set(bytes)
    return bytes.length
  }
  keep(commit: ChunkCommit): void {
    for (const { key, bytes } of commit.slots) this.kept.set(MemorySlots.name(commit.shard, key), bytes)
  }
}

/** What a test says of an event; the rest is an ordinary read. */
export type Act = Omit<Partial<EventInput>, 'identity' | 'resource' | 'time'> & {
  readonly at: number
  readonly who?: string
  readonly kind?: 'agent' | 'user' | 'service'
  readonly class?: string
  readonly resource?: string
  readonly sensitivity?: number
  /** A release, or the parts by name. */
  readonly version?: string | Readonly<Partial<Record<VersionPart, string>>>
}

export const eventOf = (act: Act, id: string): EventInput => {
  const { at, who = 'bot', kind = 'agent', class: class_ = 'crm', resource, sensitivity, version, ...rest } = act
  return {
    id,
    time: at,
    identity: {
      id: who,
      kind,
      ...(version === undefined ? {} : { version: typeof version === 'string' ? { release: version } : version }),
    },
    action: 'crm.read',
    resource: { class: class_, ...(resource === undefined ? {} : { id: resource }), ...(sensitivity === undefined ? {} : { sensitivity }) },
    ...rest,
  }
}

export interface RigOptions {
  readonly config?: Partial<DetectionConfig>
  readonly releases?: Map<string, Uint8Array>
  readonly residentSlots?: number
}

type Control<T extends ControlRecord['type']> = Omit<Extract<ControlRecord, { type: T }>, 'v' | 'tenant' | 'controlId' | 'type'>

/** One shard of a real detector over a store in memory: acts in, rows and alerts out. */
export class Rig {
  readonly detector: Detector
  readonly config: DetectionConfig
  readonly store = new MemorySlots()
  readonly alerts: Alert[] = []
  readonly capsules: AlertCapsule[] = []
  readonly deadLetters: DeadLetter[] = []
  readonly rows: Row[] = []
  readonly log: LogRecord[] = []
  readonly #releases: Map<string, Uint8Array>
  #meta = new Map<string, Uint8Array>()
  #nowMs = 0

  constructor(options: RigOptions = {}) {
    this.#releases = options.releases ?? new Map()
    this.config = { ...DEFAULT_DETECTION_CONFIG, shards: 1, ...options.config }
    this.detector = new Detector({
      config: this.config,
      masterKey: MASTER_KEY,
      slots: this.store,
      releases: { artifact: (_id, sha256) => this.#releases.get(sha256) },
      residentSlots: options.residentSlots ?? 64,
      topic: 'events',
    })
    this.detector.open(0, { nextOffset: 0, meta: new Map() })
  }

  /** Sends one event and returns its row, or undefined when it became a dead letter. Arrival is the event's time unless given. */
  act(
    act: Act,
    how: { readonly arrival?: number; readonly historic?: boolean; readonly id?: string; readonly raw?: string } = {},
  ): Row | undefined {
    const arrival = how.arrival ?? Math.max(this.#nowMs, act.at)
    this.#nowMs = Math.max(this.#nowMs, arrival)
    const event = eventOf(act, how.id ?? `e${this.log.length}`)
    const key = eventKey(event.tenant ?? 'default', event.identity.id)
    if (how.historic === true) key[0] = 'h'.charCodeAt(0)
    return this.record(key, Buffer.from(how.raw ?? JSON.stringify(event)), arrival)
  }

  record(key: Uint8Array, value: Uint8Array, ingestTimeMs = this.#nowMs): Row | undefined {
    const record = { offset: this.log.length, ingestTimeMs, key, value }
    this.log.push(record)
    const commit = this.detector.process(0, [record])
    this.store.keep(commit)
    for (const { name, bytes } of commit.meta) this.#meta.set(name, bytes)
    this.detector.settle(0)
    this.alerts.push(...commit.alerts)
    this.capsules.push(...commit.capsules)
    this.deadLetters.push(...commit.deadLetters)
    if (commit.scored === null) return undefined
    const [row] = scoredRows(commit.scored.bytes)
    this.rows.push(row as Row)
    return row as Row
  }

  control<T extends ControlRecord['type']>(type: T, fields: Control<T>, controlId = `c${this.log.length}`, tenant = 'default'): void {
    this.record(Buffer.from(`c:${controlId}`), Buffer.from(JSON.stringify({ v: 1, controlId, tenant, type, ...fields })))
  }

  /** Puts the strict release into use. */
  strict(withNet = false): void {
    this.release(strictRelease(this.config, withNet))
  }

  release({ id, sha256, bytes }: Release): void {
    this.#releases.set(sha256, bytes)
    this.control('release', { releaseId: id, sha256 })
  }

  /** The artifact of the release that came last. */
  artifact(): Uint8Array | undefined {
    return [...this.#releases.values()].at(-1)
  }

  policy(policy: PolicyInput): void {
    this.control('policy', { policy: Policy.parse(policy), policyHash: '' })
  }

  /** Drops everything in memory and opens the shard from what is stored. */
  restart(): void {
    this.detector.open(0, { nextOffset: this.log.length, meta: this.#meta })
  }

  /** Packed slot of an identity as stored, or undefined. */
  slot(who = 'bot', tenant = 'default'): Uint8Array | undefined {
    return this.store.kept.get(MemorySlots.name(0, this.keyOf(who, tenant)))
  }

  keyOf(who: string, tenant = 'default'): Uint8Array {
    const { lo, hi } = this.detector.identityKey(this.detector.tenantsOf(0).get(tenant)!, who)
    const key = Buffer.alloc(8)
    key.writeUInt32LE(lo, 0)
    key.writeUInt32LE(hi, 4)
    return key
  }

  /** Reads the resident slot. */
  view(who = 'bot'): {
    readonly f32: (at: number) => number
    readonly u8: (at: number) => number
    readonly u16: (at: number) => number
    readonly u32: (at: number) => number
  } {
    const key = Buffer.from(this.keyOf(who))
    const slot = this.detector.slots.peek(key.readUInt32LE(0), key.readUInt32LE(4))
    const seg = this.detector.slots.segment(slot)
    const base = this.detector.slots.base(slot)
    return {
      f32: (at) => seg.f32[(base + at) >> 2]!,
      u8: (at) => seg.u8[base + at]!,
      u16: (at) => seg.u16[(base + at) >> 1]!,
      u32: (at) => seg.u32[(base + at) >> 2]!,
    }
  }

  /** Current value, mean, variance and record of a window metric. */
  window(metric: number, who = 'bot'): readonly [number, number, number, number] {
    const { f32 } = this.view(who)
    const at = WINDOW_VALUES + metric * 16
    return [f32(at), f32(at + 4), f32(at + 8), f32(at + 12)]
  }

  learned(who = 'bot'): number {
    return this.view(who).f32(H.learned)
  }
}

/** A small net of fixed weights, for goldens: what it computes means nothing, how exactly it does means everything. */
const LAYERS = [FEATURE_COUNT, 16, 6, 16, FEATURE_COUNT]
const fixedNet = (): Record<string, Float32Array> => {
  let state = 12345
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 4_294_967_296
  }
  const fill = (n: number, f: () => number): Float32Array => Float32Array.from({ length: n }, f)
  return {
    weights: fill(weightCount(LAYERS), () => next() - 0.5),
    mean: fill(FEATURE_COUNT, () => next() * 2),
    invStd: fill(FEATURE_COUNT, () => 0.5 + next()),
    residualScale: fill(FEATURE_COUNT, () => 0.5 + next()),
  }
}

export interface Release {
  readonly id: string
  readonly sha256: string
  readonly bytes: Uint8Array
}

const busy = (() => {
  const much = Float32Array.from(quad(12_345, 50_000, 20))
  return { actions: much, classes: much, destinations: much, transitions: much, networks: much }
})()
const othersThan = (peers: { readonly members: number } | undefined) =>
  peers === undefined ? {} : { members: peers.members, events: 50_000 }

/**
 * A release that takes next to nothing as usual: oddities count for more than before the first release.
 * Without a net unless `withNet`. With `peers`, its group has so many members who do much, but nothing that a test does.
 */
export const strictRelease = (
  config: DetectionConfig,
  withNet = false,
  header: Partial<ReleaseHeader> = {},
  peers?: { readonly declared: number; readonly members: number },
): Release => {
  const none = new Float32Array(0)
  const tables = { actions: none, classes: none, destinations: none, transitions: none, networks: none }
  const level = new Float32Array(2 * FEATURE_COUNT).fill(1).fill(0.5, FEATURE_COUNT)
  const typical = Float32Array.from([...level, ...level])
  const calibration = Float32Array.of(1, 2, 0, 25, 0, 12)
  const evidence = Float32Array.of(1, 2, 0, 12, 0, 12)
  const bytes = packRelease(
    {
      v: 1,
      id: 'strict',
      tenant: 'default',
      sequence: 1,
      createdFrom: { positions: {}, events: 0, identities: 0, fromTime: 0, toTime: 0 },
      catalogueHash: CATALOGUE_HASH,
      detectorVersion: DETECTOR_VERSION,
      configHash: configHash(config),
      layers: withNet ? LAYERS : [],
      peerGroups: [],
      thresholds: { tailFloorLog10: 5, alertTailLog10: 5 },
      metrics: {},
      ...header,
    },
    {
      ...packGroup('all', { ...NO_GROUP, tables, events: header.createdFrom?.events ?? 0 }),
      ...(header.peerGroups === undefined
        ? {}
        : packGroup('g0', { ...NO_GROUP, ...othersThan(peers), tables: peers === undefined ? tables : busy })),
      typical,
      declared: peers === undefined ? none : Float32Array.of(peers.declared & 0xffff, peers.declared >>> 16, 0),
      joint: Float32Array.of(0, 1, 1, 0.5, withNet ? 1 : 0),
      calibration,
      evidence,
      ...(withNet ? fixedNet() : {}),
    },
  )
  return { id: header.id ?? 'strict', sha256: sha256Hex(bytes), bytes }
}

export const feature = (row: Row, name: string): number => row.features[FEATURE_INDEX[name]!]!

/** Ordinary working days: `perDay` reads, five minutes apart from nine, of a few actions in sessions of ten. Returns the end. */
export const work = (rig: Rig, days: number, perDay = 30, act: Partial<Act> = {}, start = START): number => {
  for (let day = 0; day < days; day++) {
    for (let i = 0; i < perDay; i++) {
      const at = start + day * DAY + i * 5 * MINUTE
      rig.act({
        at,
        session: `s${day}-${Math.floor(i / 10)}`,
        action: i % 3 === 0 ? 'crm.search' : 'crm.read',
        bytesIn: 2000 + (i % 7) * 100,
        ...act,
      })
    }
  }
  return start + days * DAY
}
