import { IDENTITY_KINDS, Policy, type ReleaseHeader } from '@plumbline/schemas'
import type { Autoencoder } from '../5-autoencoder/index.ts'
import { type GroupStats, NO_GROUP } from '../state/groups.ts'
import { Answers } from './answers.ts'
import { OpenAlerts } from '../state/open-alerts.ts'
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
  /** log10 of how many times the usual events a day the tenant has; 0 for small ones. */
  readonly fleet: number
  /** Per feature its 95 % quantile over recorded rows, then per feature its mean excess beyond: what `sumSurprise` takes. */
  readonly typical: Float32Array
}

export const DEFAULT_POLICY: CompiledPolicy = compilePolicy(Policy.parse({}))

/** Classes that a policy gives instead of the sender's, remembered per tenant and shard. */
const MOST_CLASSES = 16_384

/** Class of a resource that its sender does not tell. */
const GENERIC_CLASS = new TextEncoder().encode('tool')

/** What one shard knows of one tenant: its keys, its release and its policy at the current position. */
export class TenantState {
  readonly name: string
  readonly sip: SipHash
  /** Keyed hash of the class that says nothing. */
  readonly generic: { readonly lo: number; readonly hi: number }
  release: ReadyRelease | null = null
  releaseId = 'release-0'
  policy: CompiledPolicy = DEFAULT_POLICY
  policySource: Policy | null = null
  /** Whether any policy entry looks at resource ids, or at destinations. */
  asksResource = false
  asksDestination = false
  /** What the policy said of acts, of places, of which of its entries fit a resource or destination and which rules an identity, and of who may what. */
  readonly acts = new Answers()
  readonly fits = new Answers()
  readonly ruleFits = new Answers()
  readonly ruled = new Answers()
  /** Control ids applied, newest last: applying one twice has no effect (C1). */
  applied: string[] = []
  events = 0
  /** Whether more than the count of events differs from what is stored. */
  changed = true
  /** Names of declared peer groups met, by fingerprint: what a release calls them. */
  readonly groupNames = new Map<number, string>()
  /** Alert groups that are not closed, as last published. */
  readonly open = new OpenAlerts()
  #classes = new Map<number, { readonly name: string; readonly lo: number; readonly hi: number }>()

  constructor(name: string, masterKey: Uint8Array) {
    this.name = name
    this.sip = new SipHash(deriveKey(masterKey, `tenant:${name}`))
    this.sip.hash(GENERIC_CLASS, 0, GENERIC_CLASS.length)
    this.generic = { lo: this.sip.lo, hi: this.sip.hi }
  }

  get everyone(): GroupStats {
    return this.release?.everyone ?? NO_GROUP
  }

  usePolicy(policy: Policy | null): void {
    this.policySource = policy
    this.asksResource = policy !== null && policy.resources.some((r) => r.match.resource !== undefined)
    this.asksDestination = policy !== null && policy.resources.some((r) => r.match.destination !== undefined)
    this.policy = policy === null ? DEFAULT_POLICY : compilePolicy(policy)
    for (const answers of [this.acts, this.fits, this.ruleFits, this.ruled]) answers.clear()
    this.#classes.clear()
  }

  /** Class that the policy gives instead of the sender's, for a classification key. */
  classFor(key: number): { readonly name: string; readonly lo: number; readonly hi: number } | undefined {
    return this.#classes.get(key)
  }

  reclassify(key: number, name: string): void {
    if (this.#classes.size >= MOST_CLASSES) {
      this.#classes.clear()
      this.acts.clear()
    }
    const bytes = new TextEncoder().encode(name)
    this.sip.hash(bytes, 0, bytes.length)
    this.#classes.set(key, { name, lo: this.sip.lo, hi: this.sip.hi })
  }
}

export const kindName = (index: number): (typeof IDENTITY_KINDS)[number] => IDENTITY_KINDS[index] ?? 'agent'
