import { createHash } from 'node:crypto'
import type { Policy, ReasonFamily } from '@plumbline/schemas'
import { isUntrustedRead, isWrite, sendsOutward, sensitivityByName } from './classify.ts'
import { mix, wide } from '../math/mix.ts'
import { compileGlob, type Glob, type GlobIndex, indexGlobs } from './glob.ts'

export interface ResourcePolicy {
  /** Another class than the sender's; undefined where the sender's stands. */
  readonly class: string | undefined
  /** 0 public to 3 restricted. */
  readonly sensitivity: number
  /** `policy` when written down, else the built-in table's guess. */
  readonly sensitivityFrom: 'policy' | 'default'
  readonly segment: string | undefined
  /** The act changes or moves something. */
  readonly write: boolean
  /** This read brings in text from outside. */
  readonly untrusted: boolean
  /** Whether writing here takes data outside, where the policy says so; see `goesOutside`. */
  readonly external: boolean | undefined
  /** The act sounds like handing data to somebody outside; asked where it names no destination. */
  readonly sendsOutward: boolean
}

export interface IdentityPolicy {
  readonly owner: string | undefined
  readonly contact: string | undefined
  readonly purpose: string | undefined
  /** 1 low, 2 normal, 3 high. */
  readonly criticality: number
  readonly peerGroup: string | undefined
  readonly segment: string | undefined
  readonly runbook: string | undefined
}

export type FitField = 'resource' | 'destination' | 'identity'

export interface RuleVerdict {
  readonly effect: 'allow' | 'deny'
  readonly ruleId: string
}

/**
 * A policy ready to be asked. Pure and deterministic; no method throws. Answers depend on their arguments only,
 * so callers cache them by interned ids. Times are epoch milliseconds of event time.
 */
export interface CompiledPolicy {
  readonly hash: string
  /** Of several matching entries the first that states a field gives it. */
  resourceOf(action: string, resourceId: string | undefined, resourceClass: string, destination: string | undefined): ResourcePolicy
  /**
   * Which entries fit the text, as a hash of 53 bits: of the resources those that ask for this field; of an identity the
   * rules for it and the segment it lives in. Texts of equal fit get equal answers.
   */
  fitOf(field: FitField, text: string): number
  identityOf(identity: string): IdentityPolicy
  /** A matching deny beats any allow; undefined when no rule speaks of it. */
  ruleVerdict(identity: string, action: 'read' | 'write', resourceClass: string): RuleVerdict | undefined
  /** Id of the exception that keeps this quiet at `timeMs`, or undefined. */
  exceptionFor(identity: string, family: ReasonFamily, resourceClass: string, timeMs: number): string | undefined
  /** Name of the maintenance window `timeMs` falls into, or undefined. */
  inMaintenance(identity: string, timeMs: number): string | undefined
  /** Name of the calendar that makes an unusual hour, pace or amount expected on the UTC day of `timeMs`, or undefined. */
  calendarFor(identity: string, family: ReasonFamily, timeMs: number): string | undefined
  /** undefined when the policy names no pairs: segments are then learned, not ruled. */
  segmentAllowed(from: string, to: string): boolean | undefined
}

/** SHA-256 (hex) over the policy with sorted keys: equal meaning written in another order of keys hashes the same. */
export const policyHash = (policy: Policy): string => createHash('sha256').update(canonical(policy)).digest('hex')

const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  const entries = Object.entries(value).filter(([, v]) => v !== undefined)
  return `{${entries
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`)
    .join(',')}}`
}

export const compilePolicy = (policy: Policy): CompiledPolicy => {
  const identities = indexGlobs(policy.identities.map((value) => ({ pattern: value.match, value })))
  return {
    hash: policyHash(policy),
    resourceOf: compileResources(policy),
    fitOf: compileFits(policy),
    identityOf: (identity) => {
      const all = identities.find(identity)
      return {
        owner: first(all, (x) => x.owner),
        contact: first(all, (x) => x.contact),
        purpose: first(all, (x) => x.purpose),
        criticality: all[0]?.criticality ?? 2,
        peerGroup: first(all, (x) => x.peerGroup),
        segment: first(all, homeOf),
        runbook: first(all, (x) => x.runbook),
      }
    },
    ruleVerdict: compileRules(policy),
    exceptionFor: compileExceptions(policy),
    inMaintenance: compileWindows(policy),
    calendarFor: compileCalendars(policy),
    segmentAllowed: compileSegments(policy),
  }
}

const DAY_MS = 86_400_000

const first = <T, V>(entries: readonly T[], pick: (entry: T) => V | undefined): V | undefined => {
  for (const entry of entries) {
    const value = pick(entry)
    if (value !== undefined) return value
  }
  return undefined
}

const compileResources = (policy: Policy): CompiledPolicy['resourceOf'] => {
  const entries = policy.resources.map((r) => ({ is: r, globs: globsOf(r.match) }))
  return (action, resourceId, resourceClass, destination) => {
    const subject: Record<string, string | undefined> = { action, resource: resourceId, class: resourceClass, destination }
    const hits = entries.filter((e) => e.globs.every(({ field, glob }) => matchesField(glob, subject[field]))).map((e) => e.is)
    const given = first(hits, (r) => r.class)
    const named = given ?? resourceClass
    const sensitivity = first(hits, (r) => r.sensitivity)
    const write = isWrite(action)
    return {
      class: named === resourceClass ? undefined : named,
      sensitivity: sensitivity ?? sensitivityByName(action, named),
      sensitivityFrom: sensitivity === undefined ? 'default' : 'policy',
      segment: first(hits, (r) => r.segment),
      write,
      untrusted: !write && (first(hits, (r) => r.untrusted) ?? (isUntrustedRead(action, resourceClass) || isUntrustedRead(action, named))),
      external: first(hits, (r) => r.external),
      sendsOutward: sendsOutward(action, resourceClass),
    }
  }
}

const compileFits = (policy: Policy): CompiledPolicy['fitOf'] => {
  const globs = (patterns: readonly (string | undefined)[]) =>
    patterns.flatMap((pattern, place) => (pattern === undefined ? [] : [{ place, glob: compileGlob(pattern) }]))
  const asked: Readonly<Record<FitField, ReturnType<typeof globs>>> = {
    resource: globs(policy.resources.map((r) => r.match.resource)),
    destination: globs(policy.resources.map((r) => r.match.destination)),
    identity: globs(policy.rules.map((r) => r.identities)),
  }
  const homes = compileHomes(policy)
  return (field, text) => {
    const lower = text.toLowerCase()
    const home = field === 'identity' ? homes(text) : 0
    let lo = mix(1, home)
    let hi = mix(home, 1)
    for (const { place, glob } of asked[field]) {
      if (!glob.matchesLower(lower)) continue
      lo = mix(lo, place)
      hi = mix(place, hi)
    }
    return wide(lo, hi)
  }
}

/** An empty segment is none. */
const homeOf = (entry: Policy['identities'][number]): string | undefined => entry.segment || undefined

/** Number of the segment an identity lives in, from 1; 0 where the policy says none. */
const compileHomes = (policy: Policy): ((identity: string) => number) => {
  const numbers = new Map<string, number>()
  const homes = indexGlobs(
    policy.identities.flatMap((entry) => {
      const segment = homeOf(entry)
      if (segment === undefined) return []
      if (!numbers.has(segment)) numbers.set(segment, numbers.size + 1)
      return [{ pattern: entry.match, value: numbers.get(segment)! }]
    }),
  )
  return (identity) => homes.find(identity)[0] ?? 0
}

const globsOf = (match: Readonly<Record<string, string | undefined>>): readonly { readonly field: string; readonly glob: Glob }[] =>
  Object.entries(match).flatMap(([field, pattern]) => (pattern === undefined ? [] : [{ field, glob: compileGlob(pattern) }]))

const matchesField = (glob: Glob, text: string | undefined): boolean => text !== undefined && glob.matches(text)

const compileRules = (policy: Policy): CompiledPolicy['ruleVerdict'] => {
  const rules: GlobIndex<{ id: string; effect: 'allow' | 'deny'; action: string; classes: readonly Glob[] }> = indexGlobs(
    policy.rules.map((r) => ({
      pattern: r.identities,
      value: { id: r.id, effect: r.effect, action: r.action, classes: r.classes.map(compileGlob) },
    })),
  )
  return (identity, action, resourceClass) => {
    const speaking = rules
      .find(identity)
      .filter((r) => (r.action === 'any' || r.action === action) && r.classes.some((c) => c.matches(resourceClass)))
    const rule = speaking.find((r) => r.effect === 'deny') ?? speaking[0]
    return rule === undefined ? undefined : { effect: rule.effect, ruleId: rule.id }
  }
}

const compileExceptions = (policy: Policy): CompiledPolicy['exceptionFor'] => {
  const exceptions = indexGlobs(
    policy.exceptions.map((x) => ({
      pattern: x.identities,
      value: { id: x.id, families: x.families, classes: x.classes?.map(compileGlob), expiresMs: Date.parse(x.expires) },
    })),
  )
  return (identity, family, resourceClass, timeMs) =>
    exceptions
      .find(identity)
      .find(
        (x) =>
          timeMs < x.expiresMs &&
          (x.families === undefined || x.families.includes(family)) &&
          (x.classes === undefined || x.classes.some((c) => c.matches(resourceClass))),
      )?.id
}

const compileWindows = (policy: Policy): CompiledPolicy['inMaintenance'] => {
  const windows = indexGlobs(
    policy.maintenance.map((w) => ({ pattern: w.identities, value: { name: w.name, fromMs: Date.parse(w.from), toMs: Date.parse(w.to) } })),
  )
  return (identity, timeMs) => windows.find(identity).find((w) => timeMs >= w.fromMs && timeMs < w.toMs)?.name
}

/** Families that are about when or how much, of which a calendar says that it is expected. */
const EXPECTED_ON_DAYS: readonly ReasonFamily[] = ['off_hours', 'rate', 'volume']

const compileCalendars = (policy: Policy): CompiledPolicy['calendarFor'] => {
  const calendars = indexGlobs(
    policy.calendars.map((c) => ({
      pattern: c.identities ?? '*',
      value: { name: c.name, days: new Set(c.days.map((d) => Date.parse(`${d}T00:00:00Z`) / DAY_MS)) },
    })),
  )
  return (identity, family, timeMs) =>
    EXPECTED_ON_DAYS.includes(family) ? calendars.find(identity).find((c) => c.days.has(Math.floor(timeMs / DAY_MS)))?.name : undefined
}

const compileSegments = (policy: Policy): CompiledPolicy['segmentAllowed'] => {
  if (policy.segments.length === 0) return () => undefined
  const pairs = policy.segments.map((s) => ({ from: compileGlob(s.from), to: compileGlob(s.to) }))
  return (from, to) => from.toLowerCase() === to.toLowerCase() || pairs.some((p) => p.from.matches(from) && p.to.matches(to))
}
