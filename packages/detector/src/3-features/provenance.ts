import { mix } from '../math/mix.ts'
import { ABSENT, N } from '../record.ts'
import type { GroupStats } from '../state/groups.ts'
import { indexOf } from '../state/index-of.ts'
import { PLACES, SESSION_BYTES, SESSIONS, TRANSITION_SETS, TRANSITIONS } from '../state/layout.ts'
import { countOf, fingerprint } from '../state/tables.ts'
import type { Pair, Work } from '../work.ts'
import { surprise } from './surprise.ts'

const LURED_NATS = indexOf('destination_lured')
const ARGUMENTS = indexOf('arguments_own')

/** Index of `tool` in PROVENANCES. */
const TOOL = 1
/** Events that everyone's opinion is worth beside the peers', and the peers' beside the identity's own. */
const KAPPA = 4
const KAPPA_OWN = 12
/** What is assumed of origins that nobody has seen for a class. */
const UNSEEN_ORIGINS = 1 / 64
/** What is assumed of lured destinations before anybody tells. */
const UNSEEN_LURED = 1 / 64

/**
 * Where the act came from. Instructions planted in what an agent reads have to name their target and fill in the arguments:
 * so a target that nobody here ever used and that a tool result named, and arguments that for this class of resource usually
 * come from elsewhere, are what a hijacked session looks like from outside. How often honest work does either is learned.
 */
export const provenanceFeatures = (w: Work, group: GroupStats, everyone: GroupStats): void => {
  const x = w.features
  w.place = (w.destination >>> 8) & 255 || 1
  w.lured = isLured(w, group, everyone)
  w.told = w.destination !== 0 && w.event.provenance !== ABSENT
  if (w.told) {
    name(w, w.luredPair, LURED)
    name(w, w.toldPair, TOLD)
  }
  x[LURED_NATS] = w.lured ? surprise(shareOf(w, w.luredPair, w.toldPair, group, everyone, UNSEEN_LURED)) : 0
  const shape = originsOf(w)
  w.hasOrigins = shape !== 0
  if (w.hasOrigins) {
    name(w, w.originsPair, ORIGINS | shape)
    name(w, w.anyOriginsPair, ORIGINS)
  }
  x[ARGUMENTS] = w.hasOrigins ? surprise(shareOf(w, w.originsPair, w.anyOriginsPair, group, everyone, UNSEEN_ORIGINS)) : 0
}

/** What a class is paired with in the table of pairs; transitions pair actions, whose hashes are no small numbers. */
const ORIGINS = 0xa000
const LURED = 0xb001
const TOLD = 0xb002

const name = (w: Work, pair: Pair, what: number): void => {
  pair.lo = fingerprint(mix(w.class_, what))
  pair.hi = mix(w.classHi, what)
}

/** Links followed on a site are named by that site: only the step to another place counts. */
const isLured = (w: Work, group: GroupStats, everyone: GroupStats): boolean =>
  everyone.events > 0 &&
  w.destination !== 0 &&
  w.event.provenance === TOOL &&
  w.newDestination &&
  !justUsed(w) &&
  group.destinations.count(w.destination) === 0 &&
  everyone.destinations.count(w.destination) === 0

const justUsed = (w: Work): boolean =>
  !w.sessionIsNew && w.seg.u8[w.base + PLACES + (w.sessionAt - w.base - SESSIONS) / SESSION_BYTES] === w.place

const upTo7 = (n: number): number => (n >= 0 ? Math.min(7, n) : 0)

/** How many arguments came from where, 0 where nobody tells. */
const originsOf = (w: Work): number => {
  const n = w.event.number
  return (upTo7(n[N.argumentsFromUser]!) << 6) | (upTo7(n[N.argumentsFromTool]!) << 3) | upTo7(n[N.argumentsNew]!)
}

/** Share of the first among the second of two pairs: own, drawn to the peers', then to everyone's. */
const shareOf = (w: Work, of: Pair, among: Pair, group: GroupStats, everyone: GroupStats, unseen: number): number => {
  const all = drawn(everyone.transitions.count(of.lo), everyone.transitions.count(among.lo), unseen, KAPPA)
  const peers = group === everyone ? all : drawn(group.transitions.count(of.lo), group.transitions.count(among.lo), all, KAPPA)
  const count = countOf(w.seg, w.base + TRANSITIONS, TRANSITION_SETS, of.lo, of.hi)
  const total = countOf(w.seg, w.base + TRANSITIONS, TRANSITION_SETS, among.lo, among.hi)
  return drawn(count, Math.max(count, total), peers, KAPPA_OWN)
}

const drawn = (count: number, total: number, prior: number, kappa: number): number =>
  (Math.min(count, total) + kappa * prior) / (total + kappa)
