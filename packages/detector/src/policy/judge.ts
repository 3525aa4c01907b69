import type { CompiledPolicy, ResourcePolicy, RuleVerdict } from './compile.ts'

/** An act as its sender tells it. */
export interface Act {
  readonly identity: string
  readonly action: string
  readonly class: string
  readonly resource: string | undefined
  readonly destination: string | undefined
  /** Segment it acts from. */
  readonly from: string | undefined
  /** Segment the resource lives in. */
  readonly to: string | undefined
}

/** What a policy says of an act; the built-in tables fill what it leaves open. */
export interface Judgement {
  readonly resource: ResourcePolicy
  /** Segments that the policy gives; undefined where the sender's word stands or nobody says any. */
  readonly from: string | undefined
  readonly to: string | undefined
  readonly rule: RuleVerdict | undefined
  /** The way between the two segments. `learned`: the policy names no pairs, or one of the two is not known. */
  readonly way: 'allowed' | 'forbidden' | 'learned'
  /** What forbids the act: a rule before the way; null where nothing does. No allow outweighs a denial. */
  readonly denied: 'rule' | 'way' | null
}

/**
 * The one place where a policy is asked about an act: by the detector for every kind of act, and by `plumbline policy test`.
 * A sender's own word on a segment goes before the policy's, which says where an identity or a resource is at home.
 */
export const judge = (policy: CompiledPolicy, act: Act): Judgement => {
  const resource = policy.resourceOf(act.action, act.resource, act.class, act.destination)
  const from = act.from === undefined ? policy.identityOf(act.identity).segment : undefined
  const to = act.to === undefined ? resource.segment : undefined
  const rule = policy.ruleVerdict(act.identity, resource.write ? 'write' : 'read', resource.class ?? act.class)
  const way = wayOf(policy, act.from ?? from, act.to ?? to)
  return { resource, from, to, rule, way, denied: rule?.effect === 'deny' ? 'rule' : way === 'forbidden' ? 'way' : null }
}

const wayOf = (policy: CompiledPolicy, from: string | undefined, to: string | undefined): Judgement['way'] => {
  const allowed = from === undefined || to === undefined ? undefined : policy.segmentAllowed(from, to)
  return allowed === undefined ? 'learned' : allowed ? 'allowed' : 'forbidden'
}

/**
 * Whether an act takes data outside: the policy's word, else that of the place it names, else what the act sounds like.
 * @param place whether the destination is outside; undefined where the act names none
 */
export const goesOutside = (resource: ResourcePolicy, place: boolean | undefined): boolean =>
  resource.write && (resource.external ?? place ?? resource.sendsOutward)
