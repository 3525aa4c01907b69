import { type DetectionConfig, type EventInput, PlumblineError, type ReasonFamily } from '@plumbline/schemas'
import { eventKey, shardOf } from '../../2-identify/shard.ts'
import type { TenantState } from '../../2-identify/tenants.ts'
import { Detector } from '../../detector.ts'
import type { ChunkCommit, LogRecord } from '../../ports.ts'
import { controlsOf, type InForce } from '../in-force.ts'

export interface BlindSpotContext extends InForce {
  readonly config: DetectionConfig
  readonly masterKey: Uint8Array
}

/** Events computed at once; after the first that alerts no more are. */
const CHUNK = 32
const encoder = new TextEncoder()

/**
 * A detector that holds copies of one baseline at a time: it runs the release and the policy in force, and forgets what it
 * learned with each trial. What was stored is never written.
 */
export class ThrowAway {
  readonly #context: BlindSpotContext
  readonly #detector: Detector
  #slot = new Uint8Array(0)
  #shard = -1
  #key = new Uint8Array(0)
  #tenant: TenantState | null = null

  constructor(context: BlindSpotContext) {
    this.#context = context
    const { config, masterKey, release } = context
    this.#detector = new Detector({
      config,
      masterKey,
      slots: {
        load: (_shard, _key, into) => {
          into.set(this.#slot)
          return this.#slot.length
        },
      },
      releases: { artifact: () => release?.bytes },
      residentSlots: 64,
      topic: 'blind-spots',
    })
  }

  get tenant(): TenantState {
    return this.#tenant!
  }

  /** From here on trials are of this identity. Throws RELEASE_* where the release does not run here, REPLAY_FAILED where it is refused. */
  take(identity: string, slot: Uint8Array, nowMs: number): void {
    const { tenant, config } = this.#context
    if (this.#shard >= 0) this.#detector.forget(this.#shard)
    this.#slot = Uint8Array.from(slot)
    this.#shard = shardOf(tenant, identity, config.shards)
    this.#key = Uint8Array.from(eventKey(tenant, identity))
    this.#detector.open(this.#shard, { nextOffset: 0, meta: new Map() })
    checked(this.#detector.process(this.#shard, controlsOf(this.#context, nowMs)))
    this.#detector.settle(this.#shard)
    this.#tenant = this.#detector.tenantsOf(this.#shard).get(tenant) ?? this.#met(tenant)
  }

  /** The family of the first alert that these acts, in order of time, raise on a copy of the baseline; null where none does. */
  alertOf(acts: Iterable<EventInput & { readonly time: number }>): ReasonFamily | null {
    const shard = this.#shard
    let family: ReasonFamily | null = null
    let offset = 1
    let chunk: LogRecord[] = []
    const run = (): void => {
      const { alerts } = checked(this.#detector.process(shard, chunk))
      chunk = []
      family = alerts.find(({ activity }) => activity !== 'close')?.family ?? null
    }
    for (const act of acts) {
      chunk.push({ offset: offset++, ingestTimeMs: act.time, key: this.#key, value: encoder.encode(JSON.stringify(act)) })
      if (chunk.length === CHUNK) run()
      if (family !== null) break
    }
    if (family === null && chunk.length > 0) run()
    this.#forgetTrial()
    return family
  }

  #forgetTrial(): void {
    this.#detector.settle(this.#shard)
    this.#detector.slots.forget(this.#shard)
    this.tenant.open.clear()
  }

  /** A tenant under no release and no policy is met with its first event. */
  #met(name: string): TenantState {
    this.#detector.process(this.#shard, [])
    return this.#detector.tenant(name)
  }
}

const checked = (commit: ChunkCommit): ChunkCommit => {
  const [refused] = commit.deadLetters
  if (refused !== undefined)
    throw new PlumblineError('REPLAY_FAILED', `what was tried did not score: ${refused.code} ${refused.field} ${refused.message}`.trim())
  return commit
}
