import { carriesPager, chooseSource, mainSource, otherMachine, publicSource, type SourceInfo, vpnSource } from '../life.ts'

import { DAY, HOUR } from '../options.ts'
import { mix } from '../prng.ts'
import { chooseTask, gap, openSession, runTask, type Session } from '../session.ts'
import { type Tool, TOOLS, tool } from '../tools.ts'
import { ABROAD, type Member } from '../world.ts'
import { type Case, observe } from './case.ts'

const MINUTE = 60_000

/** Runs ordinary tasks until about `events` have happened; returns when. */
const ordinaryWork = (c: Case, s: Session, start: number, events: number, key: boolean): number => {
  const sink = c.sink(key)
  let n = 0
  let t = start
  while (n < events)
    t =
      runTask(s, chooseTask(s.member, t, c.rng), t, (e) => {
        if (n++ < events) sink(e)
      }) + gap(s)
  return t
}

/** Events of one ordinary task, times the size of the case. */
const amount = (c: Case): number => Math.min(400, Math.max(2, Math.round(4 * c.spec.size)))

/** A person's ordinary tools at hours that are not theirs. */
export const offHours = (c: Case): void => {
  const m = c.member((x) => !x.traits.traveller)
  if (m === null) return
  const [from, to] = c.by([2, 4], [2, 4], [1, 4.5], [23, 24], [21, 22.5])
  const start = c.at(m, from, to, c.spec.subtlety === 1)
  ordinaryWork(c, openSession(c.world, m, start, c.rng), start, amount(c), true)
}

/** Nights of the last twelve days that this person was paged in. */
const nightsBefore = (c: Case, m: Member): number => {
  const nights = new Set<number>()
  for (const e of observe(c.world, m, c.from - 12 * DAY, c.from)) {
    const hour = (((Math.floor(e.time / HOUR) + m.zone) % 24) + 24) % 24
    if (hour < 6) nights.add(Math.floor(e.time / DAY))
  }
  return nights.size
}

/** Twin: the engineer on call is paged at 3 a.m. */
export const offHoursTwin = (c: Case): void => {
  const starts = new Map<Member, number>()
  const m = c.member((x) => {
    const start = c.at(x, 2, 4, true)
    starts.set(x, start)
    return carriesPager(c.world, x, start) && nightsBefore(c, x) >= 2
  })
  if (m === null) return
  const start = starts.get(m) ?? c.at(m, 2, 4, true)
  const s = openSession(c.world, m, start, c.rng)
  runTask(s, m.role.tasks[2]!, runTask(s, m.role.tasks[2]!, start, c.sink(true)) + gap(s), c.sink(true))
}

const NEAR: Readonly<Record<string, string>> = { DE: 'PL', US: 'CA', GB: 'FR', IN: 'SG' }

/** At work here, and minutes or hours later far away. */
export const impossibleTravel = (c: Case): void => {
  const m = c.member((x) => !x.traits.traveller && !x.traits.vpn)
  if (m === null) return
  const seen = c.seen(m, (s) => s.last.source?.country === m.country)
  const after =
    c.spec.at ?? (seen === null ? c.at(m, 10, 15) : seen.last.time + c.by(8, 25, 60, 100, 160) * MINUTE * (0.7 + 0.6 * c.rng.unit()))
  if (c.spec.at !== undefined)
    ordinaryWork(c, openSession(c.world, m, after - 20 * MINUTE, c.rng, mainSource(c.world, m, after)), after - 20 * MINUTE, 4, false)
  const country = c.spec.subtlety === 5 ? NEAR[m.country]! : c.rng.pick(ABROAD.filter((x) => c.spec.subtlety <= 3 || x.length === 2))
  const ownAgent = seen?.last.source?.userAgent ?? mainSource(c.world, m, after).userAgent!
  const agent = c.spec.subtlety <= 2 ? otherMachine(ownAgent, c.rng) : ownAgent
  const s = openSession(c.world, m, Math.round(after), c.rng, publicSource(country, mix(c.rng.u32(), 1), agent))
  ordinaryWork(c, s, Math.round(after), amount(c), true)
}

/** Twin: the VPN exit abroad that the person has used before. */
export const impossibleTravelTwin = (c: Case): void => {
  const m = c.member((x) => !x.traits.traveller)
  if (m === null) return
  const seen = c.seen(m)
  const start = seen === null ? c.at(m, 10, 15) : seen.last.time + c.rng.between(5, 40) * MINUTE
  const source = vpnSource(c.world, m, start)
  if (source !== null) ordinaryWork(c, openSession(c.world, m, start, c.rng, source), start, 6, true)
}

/** Somebody else's credential: the identity is the victim's; network, client and habits are the thief's. */
export const credentialMisuse = (c: Case): void => {
  const m = c.member((x) => !x.traits.vpn && !x.traits.traveller && !x.traits.stock)
  // A careful thief sits in the same country.
  const far = c.spec.subtlety <= 2
  const thief = c.other(['engineer', 'marketing', 'oncall'], (x) => x !== m && (far || x.country === m?.country))
  if (m === null || thief === null) return
  const seen = c.seen(m)
  const start = c.spec.at ?? (seen === null ? c.at(m, 9, 16) : seen.last.time + c.rng.between(2, 30) * MINUTE)
  const theirs = chooseSource(c.world, thief, start, c.rng)
  const own = mainSource(c.world, m, start)
  const source: SourceInfo = c.spec.subtlety <= 4 ? theirs : { ...theirs, userAgent: own.userAgent }
  const s = openSession(c.world, m, start, c.rng, source)
  const habits: Member = c.spec.subtlety <= 2 ? thief : m
  const mixed = c.spec.subtlety === 3
  let t = start
  for (let n = amount(c); n > 0; n--) {
    const who = mixed && c.rng.chance(0.4) ? thief : habits
    const script = chooseTask(who, t, c.rng).steps
    t = c.put(s, script[c.rng.below(script.length)]!.tool, t, true)
  }
}

/** Twin: a replaced laptop: another client in the same places, for the same work. */
export const credentialMisuseTwin = (c: Case): void => {
  const m = c.member((x) => !x.traits.traveller)
  if (m === null) return
  const seen = c.seen(m)
  const start = seen === null ? c.at(m, 9, 16) : seen.last.time + c.rng.between(20, 60) * MINUTE
  const was = seen?.last.source ?? mainSource(c.world, m, start)
  ordinaryWork(c, openSession(c.world, m, start, c.rng, { ...was, userAgent: otherMachine(was.userAgent!, c.rng) }), start, 8, true)
}

const SEGMENTS = ['prod', 'data', 'finance', 'hr', 'plant']

/** From host to host, across segments the identity has no business in. */
export const lateralMovement = (c: Case): void => {
  const joined = c.joinOne((x) => !x.traits.stock)
  if (joined === null) return
  const m = joined.member
  const reach = SEGMENTS.filter((x) => x !== m.role.segment).slice(0, c.by(4, 4, 3, 2, 1))
  let t = joined.time
  for (let n = Math.min(300, Math.max(2, Math.round(2 * c.spec.size))); n > 0; n--) {
    const segment = c.rng.pick(reach)
    const action = c.rng.pick(['host.ssh', 'host.ssh', 'iam.assume_role', c.spec.subtlety <= 3 ? 'secret.read' : 'host.ssh'])
    t = c.put(joined.session, action, t, true, { segment, outcome: c.rng.chance(c.by(0.3, 0.2, 0.1, 0.05, 0)) ? 'denied' : 'success' })
  }
}

/** Twins: the scanner sweeps, the SRE bot repairs and rotates: both cross segments every day. */
export const lateralMovementTwin = (c: Case): void => {
  const m = c.member()
  if (m === null) return
  const start = c.at(m, 6, 18, true)
  const script = m.role.name === 'scanner' ? m.role.crons[0]!.task : m.role.tasks[2]!
  runTask(openSession(c.world, m, start, c.rng), script, start, c.sink(true))
}

const GUARDED: readonly Tool[] = TOOLS.filter((t) => t.sensitivity === 3 && t.op === 'read')

/** Tries doors until one opens. */
export const probing = (c: Case): void => {
  const joined = c.joinOne((x) => !x.traits.stock)
  if (joined === null) return
  const m = joined.member
  const foreign = GUARDED.filter((t) => t.segment !== m.role.segment)
  const doors = foreign.slice(0, c.by(4, 4, 3, 2, 1))
  let t = joined.time
  for (let n = Math.min(300, Math.max(1, Math.round(2 * c.spec.size))); n > 0; n--)
    t = c.put(joined.session, c.rng.pick(doors), t, true, { outcome: 'denied' })
  const open = c.rng.pick(doors)
  for (let n = c.by(5, 4, 2, 1, 1); n > 0; n--) t = c.put(joined.session, open, t, true, { outcome: 'success' })
}

/** Twin: a token has expired: a few denials on one's own tools, a refresh, and on with the work. */
export const probingTwin = (c: Case): void => {
  const joined = c.joinOne()
  if (joined === null) return
  const m = joined.member
  const first = m.role.tasks[0]!.steps[0]!.tool
  let t = joined.time
  for (let n = c.rng.between(2, 4); n > 0; n--) t = c.put(joined.session, first, t, true, { outcome: 'denied' })
  t = c.put(joined.session, tool('token.refresh'), t, true, { outcome: 'success' })
  for (let n = 2; n > 0; n--) t = c.put(joined.session, first, t, true, { outcome: 'success' })
}
