import { IDENTITY_KINDS, Policy, type ReleaseHeader } from '@plumbline/schemas'
import type { Autoencoder } from '../5-autoencoder/index.ts'
import { type GroupStats, NO_GROUP } from '../state/groups.ts'
import { deriveKey, SipHash } from '../math/siphash.ts'
import { type CompiledPolicy, compilePolicy } from '../policy/index.ts'

/** A release made ready for scoring. One instance serves all shards that run it. */
export interface ReadyRelease {
  readonly header: ReleaseHeader
  readonly sha256: string
  readonly autoencoder: Autoencoder | null
  readonly everyone: GroupStats
  readonly groups: readonly GroupStats[]
  /** Fingerprint of a declared group's name to its index. */
  readonly declared: ReadonlyMap<number, number>
  /** Knots of the tail table, see 6-score/calibration. */
  readonly calibration: Float32Array
  /** The same for the event together with its session, see 6-score/evidence. */
  readonly evidence: Float32Array
  /** Centre and spread of the two parts of the joint score: surprise, reconstruction. */
  readonly joint: Float32Array
  /** −log10 of the smallest tail that the recorded history can tell: a young tenant's cannot say one in ten thousand. */
  readonly resolution: number
  /** Per feature its 95 % quantile over recorded rows, then per feature its mean excess beyond: what `sumSurprise` takes. */
  readonly typical: Float32Array
}

export const DEFAULT_POLICY: CompiledPolicy = compilePolicy(Policy.parse({}))

/** Answers of the policy kept per tenant and shard: at first, and at most. A small tenant needs few, and there may be many tenants. */
const CACHE_AT_FIRST = 256
const CACHE = 16_384

/** What one shard knows of one tenant: its keys, its release and its policy at the current position. */
export class TenantState {
  readonly name: string
  readonly sip: SipHash
  release: ReadyRelease | null = null
  releaseId = 'release-0'
  policy: CompiledPolicy = DEFAULT_POLICY
  policySource: Policy | null = null
  /** Whether any policy entry looks at resource ids; if not, answers are cached without them. */
  resourceMatters = false
  /** Control ids applied, newest last: applying one twice has no effect (C1). */
  applied: string[] = []
  events = 0
  /** Whether more than the count of events differs from what is stored. */
  changed = true
  /** Names of declared peer groups met, by fingerprint: what a release calls them. */
  readonly groupNames = new Map<number, string>()
  #classKey = new Float64Array(CACHE_AT_FIRST)
  #classBits = new Uint8Array(CACHE_AT_FIRST)
  #classes = new Map<number, { readonly name: string; readonly lo: number; readonly hi: number }>()

  constructor(name: string, masterKey: Uint8Array) {
    this.name = name
    this.sip = new SipHash(deriveKey(masterKey, `tenant:${name}`))
  }

  get everyone(): GroupStats {
    return this.release?.everyone ?? NO_GROUP
  }

  usePolicy(policy: Policy | null): void {
    this.policySource = policy
    this.resourceMatters = policy !== null && policy.resources.some((r) => r.match.resource !== undefined)
    this.policy = policy === null ? DEFAULT_POLICY : compilePolicy(policy)
    this.#classKey.fill(0)
    this.#classes.clear()
  }

  /**
   * Cached classification bits for a key, or -1. The key is made of 53 bits of keyed hashes of all that the answer depends
   * on, never 0: what happens to be cached cannot change an answer (INV-1).
   */
  classified(key: number): number {
    const at = key & (this.#classKey.length - 1)
    return this.#classKey[at] === key ? this.#classBits[at]! : -1
  }

  /** Class that the policy gives instead of the sender's, for a classification key. */
  classFor(key: number): { readonly name: string; readonly lo: number; readonly hi: number } | undefined {
    return this.#classes.get(key)
  }

  reclassify(key: number, name: string): void {
    if (this.#classes.size >= CACHE) {
      this.#classes.clear()
      this.#classKey.fill(0)
    }
    const bytes = new TextEncoder().encode(name)
    this.sip.hash(bytes, 0, bytes.length)
    this.#classes.set(key, { name, lo: this.sip.lo, hi: this.sip.hi })
  }

  remember(key: number, bits: number): void {
    let at = key & (this.#classKey.length - 1)
    if (this.#classKey[at] !== 0 && this.#classKey.length < CACHE) {
      this.#classKey = new Float64Array(this.#classKey.length * 4)
      this.#classBits = new Uint8Array(this.#classKey.length)
      at = key & (this.#classKey.length - 1)
    }
    this.#classKey[at] = key
    this.#classBits[at] = bits
  }
}

export const kindName = (index: number): (typeof IDENTITY_KINDS)[number] => IDENTITY_KINDS[index] ?? 'agent'
