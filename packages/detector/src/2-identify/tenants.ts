import { IDENTITY_KINDS, Policy, type ReleaseHeader } from '@plumbline/schemas'
import type { Autoencoder } from '../5-autoencoder/index.ts'
import { type GroupStats, NO_GROUP } from '../state/groups.ts'
import { Answers } from './answers.ts'
import { AnnouncedChanges } from '../state/changes.ts'
import { OpenAlerts } from '../state/open-alerts.ts'
import { deriveKey, SipHash } from '../math/siphash.ts'
import { type CompiledPolicy, compilePolicy, type Judgement } from '../policy/index.ts'

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
  /** Mean of each feature over the rows the net was trained on; null without a net. */
  readonly mean: Float32Array | null
}

export const DEFAULT_POLICY: CompiledPolicy = compilePolicy(Policy.parse({}))

/** Different judgements of one policy that are kept. They hold nothing of the sender's, so most policies give far fewer. */
const MOST_RULINGS = 4096

/** Keyed hash of a name. */
export interface NameHash {
  readonly lo: number
  readonly hi: number
}

/** A judgement with the keyed hashes of the names that the policy gives. */
export interface Ruling extends Judgement {
  readonly classHash: NameHash | null
  readonly fromHash: NameHash | null
  readonly toHash: NameHash | null
}

/** Class of a resource that its sender does not tell. */
const encoder = new TextEncoder()
const GENERIC_CLASS = encoder.encode('tool')

/** What one shard knows of one tenant: its keys, its release and its policy at the current position. */
export class TenantState {
  readonly name: string
  readonly sip: SipHash
  /** Keyed hash of the class that says nothing. */
  readonly generic: NameHash
  release: ReadyRelease | null = null
  releaseId = 'release-0'
  policy: CompiledPolicy = DEFAULT_POLICY
  policySource: Policy | null = null
  /** Whether the policy looks at resource ids, at destinations, at who acts, at segments. */
  asksResource = false
  asksDestination = false
  asksIdentity = false
  asksSegments = false
  /** What the policy said of acts and of places, and which of its entries fit a resource or destination, or an identity. */
  readonly acts = new Answers()
  readonly fits = new Answers()
  readonly identityFits = new Answers()
  /** Control ids applied, newest last: applying one twice has no effect (C1). */
  applied: string[] = []
  events = 0
  /** Whether more than the count of events differs from what is stored. */
  changed = true
  /** Names of declared peer groups met, by fingerprint: what a release calls them. */
  readonly groupNames = new Map<number, string>()
  /** Alert groups that are not closed, as last published. */
  readonly open = new OpenAlerts()
  readonly changes = new AnnouncedChanges()
  /** What the policy says of acts, each different answer once; `acts` keeps places in it. */
  #rulings: Ruling[] = []
  #placeOf = new Map<string, number>()

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
    this.policy = policy === null ? DEFAULT_POLICY : compilePolicy(policy)
    const { resources = [], identities = [], segments = [], rules = [] } = policy ?? {}
    const homes = identities.some((i) => i.segment !== undefined)
    this.asksResource = resources.some((r) => r.match.resource !== undefined)
    this.asksDestination = resources.some((r) => r.match.destination !== undefined)
    this.asksIdentity = rules.length > 0 || homes
    this.asksSegments = segments.length > 0 || homes || resources.some((r) => r.segment !== undefined)
    for (const answers of [this.acts, this.fits, this.identityFits]) answers.clear()
    this.changes.forgetScopes()
    this.#forgetRulings()
  }

  /** What the policy said of acts of this key, if that is known still. */
  rulingFor(key: number): Ruling | undefined {
    const place = this.acts.get(key)
    return place < 0 ? undefined : this.#rulings[place]
  }

  /** Keeps what the policy says of acts of this key. */
  keepRuling(key: number, said: Judgement): Ruling {
    const text = JSON.stringify(said)
    let place = this.#placeOf.get(text)
    if (place === undefined) {
      if (this.#rulings.length >= MOST_RULINGS) {
        this.#forgetRulings()
        this.acts.clear()
      }
      place = this.#rulings.length
      const hashed = (name: string | undefined): NameHash | null => (name === undefined ? null : this.hashOf(name))
      const [classHash, fromHash, toHash] = [said.resource.class, said.from, said.to].map(hashed)
      this.#rulings.push({ ...said, classHash: classHash!, fromHash: fromHash!, toHash: toHash! })
      this.#placeOf.set(text, place)
    }
    this.acts.set(key, place)
    return this.#rulings[place]!
  }

  #forgetRulings(): void {
    this.#rulings = []
    this.#placeOf.clear()
  }

  /** Keyed hash of a name; an identity's slot is kept under the one of its id. */
  hashOf(name: string): NameHash {
    const bytes = encoder.encode(name)
    this.sip.hash(bytes, 0, bytes.length)
    return { lo: this.sip.lo, hi: this.sip.hi }
  }
}

export const kindName = (index: number): (typeof IDENTITY_KINDS)[number] => IDENTITY_KINDS[index] ?? 'agent'
