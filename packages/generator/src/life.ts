import type { EventInput } from '@plumbline/schemas'
import { DAY, HOUR } from './options.ts'
import { hashText, mix, normalOf, type Rng, unitOf } from './prng.ts'
import { RHYTHMS, type Role } from './role.ts'
import { type Tool, tool } from './tools.ts'
import { ABROAD, type Member, OFFICES, type World } from './world.ts'

/**
 * What changes over time in an identity's benign life. Everything is a function of identity and time, with no state,
 * so that the order and number of events (and of attacks) cannot change it.
 */

export type SourceInfo = NonNullable<EventInput['source']>
export type VersionInfo = NonNullable<EventInput['identity']['version']>

const RELEASE_EPOCH = Date.UTC(2026, 0, 5, 9)
const DEPLOY_EVERY_DAYS = [4, 6, 7, 9, 11, 14] as const
const LATE_TOOLS = ['pdf.convert', 'translate.text', 'ocr.extract'].map(tool)

/** Number of the release an identity runs at `time`; deploys roll over a fleet within four hours. */
export const releaseAt = (w: World, m: Member, time: number): number => {
  if (m.role.person || m.role.constant) return 0
  const h = mix(w.settings.seed, 2_000 + m.role.index)
  if (!w.settings.benign.deploys) return 12 + ((h >>> 5) & 7)
  const every = DEPLOY_EVERY_DAYS[(h >>> 8) % DEPLOY_EVERY_DAYS.length]! * DAY
  const phase = unitOf(mix(h, 3)) * every
  const hour = Math.floor(unitOf(mix(h, 4)) * 6) * HOUR
  const lag = unitOf(mix(m.hash, 51)) * 4 * HOUR
  const day = Math.floor((RELEASE_EPOCH + phase) / DAY) * DAY + 9 * HOUR
  return Math.max(0, Math.floor((time - day - hour - lag) / every))
}

const versions = new WeakMap<Role, Map<string, VersionInfo>>()

/** Version block of a release; the model moves on every few releases. */
export const versionOf = (w: World, role: Role, release: number): VersionInfo | undefined => {
  if (role.person || role.constant) return undefined
  const key = `${w.settings.seed}/${release}`
  let known = versions.get(role)
  if (known === undefined) versions.set(role, (known = new Map()))
  let v = known.get(key)
  if (v === undefined) {
    const h = mix(mix(w.settings.seed, 2_000 + role.index), release)
    const name = `26.${release}.${(h >>> 3) & 3}`
    v = role.model === null ? { release: name } : { release: name, model: `${role.model}.${Math.floor((release + ((h >>> 9) & 1)) / 12)}` }
    known.set(key, v)
  }
  return v
}

/** A deploy moves token counts and durations a little, for the whole fleet at once. */
export const releaseFactor = (w: World, role: Role, release: number): number =>
  role.person || role.constant ? 1 : Math.exp(0.12 * normalOf(mix(mix(w.settings.seed, 2_100 + role.index), release)))

/** About every third release brings an agent fleet a tool it did not use before. */
export const releaseTool = (w: World, role: Role, release: number): Tool | null => {
  if (role.kind !== 'agent' || !w.settings.benign.deploys) return null
  const h = mix(mix(w.settings.seed, 2_200 + role.index), Math.floor(release / 3))
  return unitOf(h) < 0.6 ? LATE_TOOLS[(h >>> 4) % LATE_TOOLS.length]! : null
}

/** Day number in the member's own zone. */
export const localDay = (m: Member, time: number): number => Math.floor((time + m.zone * HOUR) / DAY)

/** 0 Monday to 6 Sunday. */
export const weekday = (day: number): number => (day + 3) % 7

const onLeave = (m: Member, day: number): boolean => {
  const block = Math.floor((day + (m.hash & 31)) / 28)
  const h = mix(mix(m.hash, 61), block)
  if (unitOf(h) < 0.35) {
    const start = 2 + ((h >>> 6) % 14)
    const into = day + (m.hash & 31) - block * 28
    if (into >= start && into < start + 3 + ((h >>> 11) % 8)) return true
  }
  return unitOf(mix(mix(m.hash, 62), day)) < 0.015
}

const isHoliday = (w: World, country: string, day: number): boolean => {
  const block = Math.floor(day / 30)
  return day - block * 30 === (mix(mix(w.settings.seed, hashText(country)), block) >>> 0) % 30 && weekday(day) < 5
}

/** Last two days of a month and the first. */
export const isMonthEnd = (day: number): boolean => new Date((day + 2) * DAY).getUTCDate() <= 3

/** How much of an ordinary day's work happens on this local day: 0 on leave, around 1 otherwise. */
export const dayFactor = (w: World, m: Member, day: number): number => {
  const s = w.settings
  if (m.role.constant) return 1
  const mood = Math.exp((m.role.person ? 0.3 : 0.18) * normalOf(mix(mix(m.hash, 63), day)))
  if (!m.role.person) return mood * (1 + 0.25 * normalOf(mix(mix(s.seed, 64 + m.role.index), day)) * 0.5)
  if (s.benign.leave && (onLeave(m, day) || isHoliday(w, m.country, day))) return 0
  if (s.benign.monthEnd && m.role.segment === 'finance' && isMonthEnd(day)) return mood * 1.6
  return mood
}

/** Some people work on a weekend now and then. */
export const weekendWork = (w: World, m: Member, day: number): boolean =>
  w.settings.benign.mess && m.role.person && weekday(day) >= 5 && unitOf(mix(mix(m.hash, 65), day)) < 0.05

/** Weight of the local hour of the week, mean 1. */
export const rhythmAt = (m: Member, time: number): number => {
  const local = Math.floor(time / HOUR) + m.zone + m.shift
  return RHYTHMS[m.role.rhythm][(((local + 72) % 168) + 168) % 168]!
}

/** Whether this engineer carries the pager at `time`: three days in turn, and some help out. */
export const carriesPager = (w: World, m: Member, time: number): boolean => {
  if (m.role.name !== 'oncall' || !w.settings.benign.onCall) return false
  const team = Math.min(3, Math.max(1, w.byRole[m.role.index]!.length))
  return (
    (Math.floor(time / (3 * DAY)) + (m.rank % team)) % team === 0 ||
    (m.rank % 3 === 0 && unitOf(mix(mix(m.hash, 66), Math.floor(time / DAY))) < 0.2)
  )
}

const UA = (os: string, major: number): string => `Mozilla/5.0 (${os}) Chrome/${major}`
const PHONES = ['iPhone', 'Android'] as const
const SYSTEMS = ['Windows NT 10.0', 'Macintosh', 'X11; Linux', 'Windows NT 11.0'] as const

/** The same client on another kind of machine. */
export const otherMachine = (userAgent: string, rng: Rng): string => {
  const kinds = userAgent.startsWith('Acme-Mobile') ? PHONES : SYSTEMS
  return userAgent.replace(/\(.*?\)/, `(${rng.pick(kinds.filter((x) => !userAgent.includes(x)))})`)
}

const browser = (m: Member, time: number): string => {
  const os = SYSTEMS[((m.hash >>> 3) + (time >= m.traits.newLaptopAt ? 1 : 0)) % SYSTEMS.length]!
  return UA(os, 128 + Math.floor((time / DAY + (m.hash & 15)) / 30) - 680)
}

const quad = (h: number): string => `${(h >>> 8) & 255}.${1 + ((h >>> 16) % 254)}`

/** A public address in a network of that country: networks and autonomous systems follow from the hash. */
export const publicSource = (country: string, hash: number, userAgent: string): SourceInfo => {
  const c = hashText(country)
  return { ip: `100.${64 + ((c >>> 4) & 63)}.${quad(hash)}`, userAgent, country, asn: 64_512 + ((c >>> 3) % 300) * 3 + ((hash >>> 24) % 3) }
}

interface Places {
  readonly day: number
  readonly release: number
  readonly main: SourceInfo
  readonly home: SourceInfo
  readonly mobile: SourceInfo
  readonly vpn: SourceInfo | null
}
const places = new WeakMap<Member, Places>()

const placesOf = (w: World, m: Member, time: number): Places => {
  const day = localDay(m, time)
  const release = releaseAt(w, m, time)
  const known = places.get(m)
  if (known !== undefined && known.day === day && known.release === release) return known
  const made = m.role.person ? personPlaces(w, m, time, day) : machinePlaces(w, m, day, release)
  places.set(m, made)
  return made
}

const machinePlaces = (w: World, m: Member, day: number, release: number): Places => {
  const h = mix(mix(m.hash, 71), release)
  const name = m.role.kind === 'agent' ? 'acme-agents' : m.role.name
  const main: SourceInfo = { ip: `10.${20 + m.role.index}.${quad(h)}`, userAgent: `${name}/26.${release}` }
  return { day, release, main, home: main, mobile: main, vpn: null }
}

/** Where a trip of this time leads, or null at home. */
export const tripAt = (m: Member, day: number): string | null => {
  if (!m.traits.traveller) return null
  const block = Math.floor((day + (m.hash & 15)) / 21)
  const h = mix(mix(m.hash, 72), block)
  const into = day + (m.hash & 15) - block * 21
  const start = 3 + ((h >>> 5) % 12)
  return unitOf(h) < 0.5 && into >= start && into < start + 2 + ((h >>> 9) % 3) ? ABROAD[(h >>> 12) % ABROAD.length]! : null
}

const personPlaces = (_w: World, m: Member, time: number, day: number): Places => {
  const ua = browser(m, time)
  const trip = tripAt(m, day)
  const abroad = trip === null ? null : publicSource(trip, mix(mix(m.hash, 73), day), ua)
  const office: SourceInfo = {
    ip: `198.51.100.${10 + OFFICES.findIndex((o) => o.code === m.country)}`,
    userAgent: ua,
    country: m.country,
    asn: 64_501,
  }
  const home = publicSource(m.country, mix(mix(m.hash, 74), Math.floor(day / 40)), ua)
  const phone = publicSource(
    m.country,
    mix(mix(m.hash, 75), day),
    `Acme-Mobile/5.${Math.floor(day / 25) % 9} (${PHONES[(m.hash >>> 6) & 1]})`,
  )
  const exit = ABROAD[(m.hash >>> 7) % 4]!
  const vpn: SourceInfo | null = m.traits.vpn
    ? { ip: `203.0.113.${20 + ((m.hash >>> 7) % 4)}`, userAgent: ua, country: exit, asn: 64_505 }
    : null
  return { day, release: 0, main: abroad ?? office, home: abroad ?? home, mobile: abroad ?? phone, vpn }
}

/** Where a session of this member comes from. */
export const chooseSource = (w: World, m: Member, time: number, rng: Rng): SourceInfo => {
  const p = placesOf(w, m, time)
  if (!m.role.person) return p.main
  const u = rng.unit()
  if (p.vpn !== null && u < 0.25) return p.vpn
  if (w.settings.benign.mess && u > 0.93) return p.mobile
  const hour = (((Math.floor(time / HOUR) + m.zone) % 24) + 24) % 24
  const fromHome = hour < 7 || hour >= 19 || weekday(p.day) >= 5 || unitOf(mix(mix(m.hash, 76), p.day)) < 0.35
  return fromHome ? p.home : p.main
}

/** The VPN exit of a member that has one. */
export const vpnSource = (w: World, m: Member, time: number): SourceInfo | null => placesOf(w, m, time).vpn

/** Office, cluster or wherever the member mainly is on that day. */
export const mainSource = (w: World, m: Member, time: number): SourceInfo => placesOf(w, m, time).main
