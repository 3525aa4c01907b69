import { DayFactors, memberHour } from '../benign.ts'
import type { MadeEvent } from '../level.ts'
import { localDay, weekday } from '../life.ts'
import { type AttackKind, DAY, HOUR, type Label, type Subtlety } from '../options.ts'
import { type Rng, Rng as RngClass } from '../prng.ts'
import { makeEvent, openSession, type Pin, type Session } from '../session.ts'
import type { PlacedEvent } from '../stream.ts'
import { type Tool, tool } from '../tools.ts'
import type { Member, World } from '../world.ts'
import { applies, TWIN_ROLES, VICTIM_ROLES } from './victims.ts'

/** A session of benign life as it will be in the stream. */
export interface Seen {
  readonly events: readonly MadeEvent[]
  readonly last: MadeEvent
}

/** The benign events of one member that begin between `from` and `to`, in full detail. They are what the stream will hold. */
export const observe = (w: World, m: Member, from: number, to: number): MadeEvent[] => {
  const full: World = { ...w, full: true }
  const factors = new DayFactors(full)
  const rng = new RngClass(1)
  const events: MadeEvent[] = []
  const first = Math.floor(Math.max(from, w.settings.startTime) / HOUR) * HOUR
  for (let h = first; h < to; h += HOUR) memberHour(full, m, h, factors.at(m, h), rng, (e) => events.push(e))
  return events.sort((a, b) => a.time - b.time)
}

export const sessionsIn = (events: readonly MadeEvent[]): Seen[] => {
  const by = new Map<string, MadeEvent[]>()
  for (const e of events) {
    const list = by.get(e.session ?? '')
    if (list === undefined) by.set(e.session ?? '', [e])
    else list.push(e)
  }
  return [...by.values()].map((list) => ({ events: list, last: list[list.length - 1]! }))
}

export interface CaseSpec {
  readonly name: string
  readonly kind: AttackKind
  readonly variant: string
  readonly subtlety: Subtlety
  readonly size: number
  readonly twin: boolean
  /** Pinned start, or undefined to fit it in. */
  readonly at: number | undefined
  readonly victim: string | undefined
}

/** Builds the events of one case. All its randomness is its own. */
export class Case {
  readonly world: World
  readonly spec: CaseSpec
  readonly rng: Rng
  readonly from: number
  readonly to: number
  readonly placed: PlacedEvent[] = []
  private readonly taken: Set<number>
  private readonly keyed: Label
  private readonly around: Label

  /** `taken` are the members other cases already use; grows. `from`..`to` is the labelled time. */
  constructor(world: World, spec: CaseSpec, rng: Rng, from: number, to: number, taken: Set<number>) {
    this.world = world
    this.spec = spec
    this.rng = rng
    this.from = from
    this.to = to
    this.taken = taken
    const { kind, variant, subtlety, size, twin } = spec
    this.keyed = { attack: kind, case: spec.name, variant, subtlety, size: Math.round(size * 1000) / 1000, twin, key: true }
    this.around = { ...this.keyed, key: false }
  }

  /** Value for this case's subtlety out of five, blatant first. */
  by<T>(...five: readonly [T, T, T, T, T]): T {
    return five[this.spec.subtlety - 1]!
  }

  /** Puts one event of the case at `time` and returns the time of the next at this case's pace. */
  put(s: Session, t: Tool | string, time: number, key: boolean, pin?: Pin): number {
    const event = makeEvent(s, typeof t === 'string' ? tool(t) : t, Math.round(time), pin)
    this.placed.push({ event, label: key ? this.keyed : this.around })
    return time + 50 + this.rng.logNormal(s.member.role.gapMs * this.by(0.6, 0.8, 1, 3, 10), 0.7)
  }

  /** Hands on events that a benign script made. */
  sink(key: boolean): (e: MadeEvent) => void {
    return (event) => this.placed.push({ event, label: key ? this.keyed : this.around })
  }

  /** The pinned victim; else a member the kind applies to that satisfies `fits`, if possible not used by another case. */
  member(fits?: (m: Member) => boolean): Member | null {
    const { kind, twin, victim } = this.spec
    if (victim === undefined)
      return this.other((twin ? TWIN_ROLES : VICTIM_ROLES)[kind], (m) => applies(kind, twin, m) && (fits?.(m) ?? true))
    const named = this.world.members.find((m) => m.id === victim)
    if (named === undefined || !applies(kind, twin, named)) throw new RangeError(`${kind} does not apply to ${victim}; see listVictims`)
    return named
  }

  /** A member of one of the roles that satisfies `fits`, whoever is pinned. */
  other(roles: readonly string[], fits: (m: Member) => boolean = () => true): Member | null {
    const { startTime } = this.world.settings
    const pool = this.world.byRole.flatMap((list) => (list.length > 0 && roles.includes(list[0]!.role.name) ? list : []))
    let spare: Member | null = null
    for (let i = 0; i < 60 && pool.length > 0; i++) {
      const m = this.rng.pick(pool)
      if (m.joinedAt > startTime + 0.5 * (this.from - startTime) || !fits(m)) continue
      if (!this.taken.has(m.index)) {
        this.taken.add(m.index)
        return m
      }
      spare ??= m
    }
    return spare
  }

  /** A benign session of `m` in the labelled time that ends early enough to go on from, or null. */
  seen(m: Member, fits: (s: Seen) => boolean = () => true): Seen | null {
    const all = sessionsIn(observe(this.world, m, this.from, this.to - HOUR)).filter(
      (s) => s.last.time < this.to - HOUR / 2 && s.last.session !== undefined && fits(s),
    )
    return all.length === 0 ? null : this.rng.pick(all)
  }

  /** Goes on in a real session of `m` after its last event; or opens a new one at the pinned time. */
  join(m: Member): { readonly session: Session; readonly time: number } | null {
    const { at } = this.spec
    if (at !== undefined) return { session: openSession(this.world, m, at, this.rng), time: at }
    const seen = this.seen(m)
    if (seen === null) return null
    return { session: this.resume(m, seen.last), time: seen.last.time + 400 + this.rng.logNormal(m.role.gapMs, 0.6) }
  }

  /** As `member`, together with a session to go on in; looks at several until one has been at work. */
  joinOne(fits?: (m: Member) => boolean): { readonly member: Member; readonly session: Session; readonly time: number } | null {
    for (let i = 0; i < 12; i++) {
      const member = this.member(fits)
      const joined = member === null ? null : this.join(member)
      if (member !== null && joined !== null) return { member, ...joined }
    }
    return null
  }

  /** The session that event `e` of `m` belongs to, to go on in. */
  resume(m: Member, e: MadeEvent): Session {
    const fresh = openSession(this.world, m, e.time, this.rng, e.source)
    return { ...fresh, id: e.session, version: e.identity.version, onBehalf: e.delegation }
  }

  /** A start on a labelled day at an hour of the member's own clock; working days first unless `anyDay`. */
  at(m: Member, fromHour: number, toHour: number, anyDay = false): number {
    if (this.spec.at !== undefined) return this.spec.at
    const starts: number[] = []
    for (let d = localDay(m, this.from) - 1; d <= localDay(m, this.to) + 1; d++) {
      const t = d * DAY - m.zone * HOUR + fromHour * HOUR
      if (t >= this.from && t + (toHour - fromHour) * HOUR <= this.to) starts.push(t)
    }
    const working = anyDay ? starts : starts.filter((t) => weekday(localDay(m, t)) < 5)
    const pool = working.length > 0 ? working : starts
    return (pool.length > 0 ? this.rng.pick(pool) : this.from) + Math.floor(this.rng.unit() * (toHour - fromHour) * HOUR)
  }

  /** Median over working days before the case of a daily amount. */
  usualDay(m: Member, amount: (e: MadeEvent) => number): number {
    const until = Math.min(this.from, this.spec.at ?? this.from)
    const days = new Map<number, number>()
    for (const e of observe(this.world, m, until - 7 * DAY, until)) {
      const d = localDay(m, e.time)
      if (weekday(d) < 5) days.set(d, (days.get(d) ?? 0) + amount(e))
    }
    const values = [...days.values()].sort((a, b) => a - b)
    return values[values.length >> 1] ?? 0
  }
}
