import type { EventInput } from '@plumbline/schemas'
import { personName } from './names.ts'
import { DAY, HOUR, type Settings } from './options.ts'
import { hashText, mix, normalOf, unitOf } from './prng.ts'
import type { Role, Task } from './role.ts'
import { ROLES } from './roles.ts'

export type Who = NonNullable<EventInput['delegation']>[number]

export interface Country {
  readonly code: string
  /** Hours ahead of UTC; no daylight saving. */
  readonly zone: number
}

/** Where the company has offices, home country first. */
export const OFFICES: readonly Country[] = [
  { code: 'DE', zone: 1 },
  { code: 'US', zone: -5 },
  { code: 'GB', zone: 0 },
  { code: 'IN', zone: 5 },
]
/** Where its people travel, its networks exit, and strangers come from. */
export const ABROAD: readonly string[] = [
  'NL',
  'FR',
  'ES',
  'PL',
  'SE',
  'IT',
  'CH',
  'AT',
  'BR',
  'JP',
  'SG',
  'ZA',
  'CA',
  'AU',
  'TR',
  'MX',
  'RO',
  'VN',
  'NG',
  'KR',
]

export interface Traits {
  /** Uses a VPN with an exit abroad now and then. */
  readonly vpn: boolean
  /** Exports large archives overnight, every third night. */
  readonly habit: boolean
  readonly traveller: boolean
  /** Emits L0 whatever the level is: instrumented with stock OpenTelemetry only. */
  readonly stock: boolean
  /** Takes on a task of another role from this time on; Infinity for never. */
  readonly expandsAt: number
  readonly expandsTo: Task | null
  readonly newLaptopAt: number
}

export interface Member {
  readonly index: number
  readonly id: string
  readonly role: Role
  /** Place among the members of its role. */
  readonly rank: number
  readonly hash: number
  readonly zone: number
  readonly country: string
  /** Early bird or late riser, hours. */
  readonly shift: number
  /** Own pace relative to the role. */
  readonly pace: number
  /** Own size of things relative to the role. */
  readonly scale: number
  readonly joinedAt: number
  readonly traits: Traits
  /** Cumulative weights of the role's tasks as this member likes them. */
  readonly taste: Float64Array
  readonly principal: Who
  /** People an agent works for, likeliest first; empty for others. */
  readonly principals: readonly Who[]
}

export interface World {
  readonly settings: Settings
  readonly members: readonly Member[]
  readonly byRole: readonly (readonly Member[])[]
  /** Events of a role's rate unit become this many. */
  readonly rateScale: number
  /** Make every event in full, whatever the level; for measuring what is normal. */
  readonly full?: boolean
}

/** Members per role: one each first, then by share. */
const headcount = (n: number): number[] => {
  const counts = ROLES.map((_, i) => (i < n ? 1 : 0))
  for (let left = n - ROLES.length; left > 0; left--) {
    let best = 0
    let bestQuotient = 0
    for (let i = 0; i < ROLES.length; i++) {
      const q = ROLES[i]!.share / (counts[i]! + 0.5)
      if (q > bestQuotient) {
        bestQuotient = q
        best = i
      }
    }
    counts[best]!++
  }
  return counts
}

const traitsOf = (s: Settings, role: Role, hash: number, rank: number): Traits => {
  const p = (name: string): number => unitOf(mix(hash, hashText(name)))
  const span = s.endTime - s.startTime
  const mess = s.benign.mess && role.person
  const expands = mess && p('expands') < 0.04
  const others = ROLES.filter((r) => r.person && r !== role)
  const habit = role.crons.some((c) => c.when === 'habit') && rank % 3 === 1
  return {
    vpn: mess && p('vpn') < 0.2,
    habit,
    traveller: mess && p('traveller') < 0.15,
    stock: role.kind === 'agent' && !habit && rank % 6 === 1 + ((mix(s.seed, 300 + role.index) >>> 4) % 5),
    expandsAt: expands ? s.startTime + span * p('expands-at') : Number.POSITIVE_INFINITY,
    expandsTo: expands ? (others[Math.floor(p('expands-to') * others.length)]?.tasks[0] ?? null) : null,
    newLaptopAt: mess && p('laptop') < 0.06 ? s.startTime + span * p('laptop-at') : Number.POSITIVE_INFINITY,
  }
}

const tasteOf = (role: Role, hash: number): Float64Array => {
  const w = Float64Array.from(role.tasks, (t, i) => t.weight * Math.exp(0.5 * normalOf(mix(hash, 7_001 + i))))
  for (let i = 1; i < w.length; i++) w[i]! += w[i - 1]!
  return w
}

const joinTime = (s: Settings, hash: number, rank: number): number => {
  const joins = s.benign.joiners && s.days >= 4 && rank > 0 && unitOf(mix(hash, 31)) < 0.05
  return joins ? s.startTime + Math.floor((0.2 + 0.6 * unitOf(mix(hash, 32))) * s.days) * DAY + 8 * HOUR : s.startTime - DAY
}

const countryOf = (role: Role, hash: number): Country => {
  if (!role.person) return OFFICES[0]!
  const u = unitOf(mix(hash, 11))
  return OFFICES[u < 0.6 ? 0 : u < 0.8 ? 1 : u < 0.9 ? 2 : 3]!
}

/** The company of a seed: who works there and what each one is like. Does not depend on attacks or level. */
export const buildWorld = (settings: Settings): World => {
  const members: Member[] = []
  const byRole: Member[][] = ROLES.map(() => [])
  const base = mix(hashText('company'), settings.seed)
  const register = mix(base, 1) >>> 0
  let people = 0
  headcount(settings.identities).forEach((count, r) => {
    const role = ROLES[r]!
    for (let rank = 0; rank < count; rank++) {
      const hash = mix(mix(base, 101 + r), rank)
      const id = role.person ? personName(register, people++) : `${role.name}-${String(rank + 1).padStart(2, '0')}`
      const country = countryOf(role, hash)
      const member: Member = {
        index: members.length,
        id,
        role,
        rank,
        hash,
        zone: country.zone,
        country: country.code,
        shift: role.rhythm === 'flat' ? 0 : Math.round(normalOf(mix(hash, 12)) * 0.7),
        pace: role.constant ? 1 : Math.exp(0.35 * normalOf(mix(hash, 13))),
        scale: role.constant ? 1 : Math.exp(0.3 * normalOf(mix(hash, 14))),
        joinedAt: joinTime(settings, hash, rank),
        traits: traitsOf(settings, role, hash, rank),
        taste: tasteOf(role, hash),
        principal: { id, kind: role.kind },
        principals: [],
      }
      members.push(member)
      byRole[r]!.push(member)
    }
  })
  for (const m of members) assignPrincipals(m, byRole)
  const load = members.reduce((sum, m) => sum + m.role.rate, 0) / members.length
  return { settings, members, byRole, rateScale: settings.eventsPerIdentityDay / load }
}

const assignPrincipals = (m: Member, byRole: readonly (readonly Member[])[]): void => {
  if (m.role.actsFor === null) return
  const pool = byRole[ROLES.findIndex((r) => r.name === m.role.actsFor)] ?? []
  if (pool.length === 0) return
  const many = 1 + Math.floor(unitOf(mix(m.hash, 41)) * 5)
  const list = m.principals as Who[]
  for (let i = 0; i < many; i++) list.push(pool[Math.floor(unitOf(mix(m.hash, 42 + i)) * pool.length)]!.principal)
}
