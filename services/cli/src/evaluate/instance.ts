import {
  type ChunkCommit,
  Detector,
  eventKey,
  type LogRecord,
  sha256Hex,
  type SlotSource,
  type TenantState,
  unpackRelease,
} from '@plumbline/detector'
import type { Alert, AlertCapsule, ControlRecord, DeadLetter, DetectionConfig } from '@plumbline/schemas'
import { type ScoredRow, scoredRows } from '@plumbline/detector/replay'
import type { PolicyInUse } from '../policy/file.ts'

/** An event in the form the detector takes, and who it belongs to. */
export interface InstanceEvent {
  readonly tenant: string
  readonly identity: string
  readonly timeMs: number
  readonly bytes: Uint8Array
}

/** What became of the records since the last flush, in the order they went in. */
export interface Flushed {
  readonly rows: readonly ScoredRow[]
  readonly alerts: readonly Alert[]
  readonly capsules: readonly AlertCapsule[]
  readonly deadLetters: readonly DeadLetter[]
}

export interface InstanceOptions {
  readonly config: DetectionConfig
  readonly masterKey: Uint8Array
  /** Most identities held unpacked. Default 16,384 (64 MB). */
  readonly residentSlots?: number
  /** In force for every tenant from its first event on. */
  readonly policy?: PolicyInUse | undefined
  /** Sees everything that is put out. */
  readonly onCommit?: ((commit: ChunkCommit) => void) | undefined
}

/** Name of the log that an instance without one stands for. */
export const THROW_AWAY_TOPIC = 'throw-away'
const CHUNK = 500
const encoder = new TextEncoder()

/** State of one shard in memory: the whole store of a throw-away instance. */
class MemorySlots implements SlotSource {
  readonly #slots = new Map<string, Uint8Array>()
  static #name = (key: Uint8Array): string => Buffer.from(key).toString('latin1')

  load(_shard: number, key: Uint8Array, into: Uint8Array): number {
    const bytes = this.#slots.get(MemorySlots.#name(key))
    if (bytes === undefined) return -1
    into.set(bytes)
    return bytes.length
  }

  keep(commit: ChunkCommit): void {
    for (const { key, bytes } of commit.slots) this.#slots.set(MemorySlots.#name(key), bytes)
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#slots.get(MemorySlots.#name(key))
  }
}

/**
 * A detector with one shard and no disk, network or clock: a log that is thrown away. Same detector, same records, same
 * commits as in a deployment. `ingestTime` of a record is max(previous, event time) (contracts C2).
 */
export class Instance {
  readonly detector: Detector
  readonly #slots = new MemorySlots()
  readonly #releases = new Map<string, Uint8Array>()
  readonly #artifacts = new Map<string, Uint8Array>()
  readonly #policy: PolicyInUse | undefined
  /** Tenants that have it. */
  readonly #ruled = new Set<string>()
  #pending: LogRecord[] = []
  #offset = 0
  #nowMs = 0
  readonly #onCommit: InstanceOptions['onCommit']

  constructor(options: InstanceOptions) {
    this.detector = new Detector({
      config: { ...options.config, shards: 1 },
      masterKey: options.masterKey,
      slots: this.#slots,
      releases: { artifact: (_id, sha256) => this.#releases.get(sha256) },
      residentSlots: options.residentSlots ?? 16_384,
      topic: THROW_AWAY_TOPIC,
    })
    this.#onCommit = options.onCommit
    this.detector.open(0, { nextOffset: 0, meta: new Map() })
    this.#policy = options.policy
  }

  /** Appends an event and returns its offset. Call `flush` when `due`. */
  append(event: InstanceEvent): number {
    this.#nowMs = Math.max(this.#nowMs, event.timeMs)
    this.#rule(event.tenant)
    return this.#append(eventKey(event.tenant, event.identity), event.bytes)
  }

  /** From here on baselines are frozen, and what is appended is another run of time with arrivals of its own (contracts C9). */
  freeze(): void {
    this.detector.freeze()
    this.#nowMs = 0
  }

  control(record: ControlRecord): void {
    this.#append(encoder.encode(`c:${record.controlId}`), encoder.encode(JSON.stringify(record)))
  }

  /** Makes an artifact available and puts it into use for its tenant from here on. Returns its id. */
  release(artifact: Uint8Array): string {
    const sha256 = sha256Hex(artifact)
    const { header } = unpackRelease(artifact)
    this.#releases.set(sha256, artifact)
    this.#artifacts.set(header.id, artifact)
    this.control({ v: 1, type: 'release', controlId: `release:${header.id}`, tenant: header.tenant, releaseId: header.id, sha256 })
    return header.id
  }

  /** Artifact of a release this instance used. */
  artifactOf(releaseId: string): Uint8Array | undefined {
    return this.#artifacts.get(releaseId)
  }

  /** Position of the next record. */
  get nextOffset(): number {
    return this.#offset
  }

  get due(): boolean {
    return this.#pending.length >= CHUNK
  }

  flush(): Flushed {
    const commit = this.detector.process(0, this.#pending)
    this.#slots.keep(commit)
    this.#onCommit?.(commit)
    this.detector.settle(0)
    this.#pending = []
    return {
      rows: commit.scored === null ? [] : [...scoredRows(commit.scored.bytes)],
      alerts: commit.alerts,
      capsules: commit.capsules,
      deadLetters: commit.deadLetters,
    }
  }

  /** Packed slots of these identities of a tenant, as of the last flush. */
  *slotsOf(tenant: TenantState, identities: Iterable<string>): Generator<Uint8Array, void, undefined> {
    const key = Buffer.alloc(8)
    for (const identity of identities) {
      const { lo, hi } = this.detector.identityKey(tenant, identity)
      key.writeUInt32LE(lo, 0)
      key.writeUInt32LE(hi, 4)
      const slot = this.#slots.get(key)
      if (slot !== undefined) yield slot
    }
  }

  /** Gives a tenant the policy, as the record that it is in a deployment. */
  #rule(tenant: string): void {
    if (this.#policy === undefined || this.#ruled.has(tenant)) return
    this.#ruled.add(tenant)
    const { policy, hash } = this.#policy
    this.control({ v: 1, type: 'policy', controlId: 'policy:file', tenant, policy, policyHash: hash })
  }

  #append(key: Uint8Array, value: Uint8Array): number {
    this.#pending.push({ offset: this.#offset, ingestTimeMs: this.#nowMs, key, value })
    return this.#offset++
  }
}
