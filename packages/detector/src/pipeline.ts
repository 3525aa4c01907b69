import { type DetectionConfig, rejection, SCORED_FLAGS } from '@plumbline/schemas'
import { N, S } from './record.ts'
import { fillFromEvent } from './1-decode/fill.ts'
import { decodeFull } from './1-decode/full.ts'
import type { Scanner } from './1-decode/scan.ts'
import { classify } from './2-identify/classify.ts'
import { findDuplicate, findSession, introduce, nameEvent, placeInTime } from './2-identify/identify.ts'
import type { Slots } from './state/slots.ts'
import type { TenantState } from './2-identify/tenants.ts'
import { amountFeatures } from './3-features/amounts.ts'
import { contextFeatures, maturityOf } from './3-features/context.ts'
import { hourFeatures } from './3-features/hours.ts'
import { nameFeatures, originFeatures } from './3-features/names.ts'
import { roleFeature } from './3-features/roles.ts'
import type { GroupStats } from './state/groups.ts'
import { ACTIONS, COUNTRIES, H, SLOT_BYTES } from './state/layout.ts'
import { runBefore } from './state/runs.ts'
import { learn } from './4-baseline/learn.ts'
import { observe } from './4-baseline/observe.ts'
import { groupOf } from './4-baseline/peers.ts'
import { advance } from './state/windows.ts'
import { score } from './6-score/score.ts'
import { alert, type AlertContext, isFrozen } from './8-alert/alert.ts'
import { excuseNewTools } from './8-alert/foreign.ts'
import type { ScoredBlock } from './9-outbox/scored-block.ts'
import { type Outcome, reject } from './outcome.ts'
import type { Work } from './work.ts'

/** What the stages need from the shard they run in. */
export interface Stages extends AlertContext {
  readonly config: DetectionConfig
  readonly slots: Slots
  readonly block: ScoredBlock
  readonly scanner: Scanner
  readonly dirty: number[]
  /** Off while baselines are frozen for an evaluation: sessions advance, nothing is learned (C9). */
  readonly learning: boolean
  tenantOf(w: Work): TenantState
  /** Hash of the identity that the slot is kept under, into `lo` and `hi` of the identity's name. */
  keyOf(w: Work): void
  /** Whether the shard at hand is the one of the event's identity (C1). */
  belongs(w: Work): boolean
}

/**
 * The path of an event. Each stage reads the sheet, adds to it, and says `null` (pass) or why the event leaves the path.
 * Everything up to the score only reads the identity's baseline; what happened is observed and learned after (INV-4).
 */
export const runEvent = (w: Work, bytes: Uint8Array, s: Stages): Outcome =>
  decode(w, bytes, s) ??
  identify(w, s) ??
  features(w, s.config.dailyDriftBudget, s.learning) ??
  score(w) ??
  alert(w, group, s) ??
  after(w, s) ??
  emit(w, s)

/** The peer group of the event at hand; set by `features`, read by `alert`. */
let group: GroupStats

/** 1. Bytes to fields: the scanner where the shape is known, else the full decoder, which judges. */
export const decode = (w: Work, bytes: Uint8Array, s: Stages): Outcome => {
  w.raw = bytes
  if (!s.scanner.scan(bytes, 0, bytes.length, w.event)) {
    const decoded = decodeFull(bytes)
    if (!decoded.ok) return reject('decode', decoded.rejection)
    if (!s.scanner.scan(decoded.canonical, 0, decoded.canonical.length, w.event)) fillFromEvent(decoded.event, w.event)
  }
  if (w.event.number[N.time]! > w.ingestTimeMs + s.config.futureToleranceMs) {
    return reject('decode', rejection('TIME_FUTURE', 'time', 'The event time is more than 5 minutes after its arrival.'))
  }
  return null
}

/**
 * Reads one word of nearly every line of the slot: the processor fetches them side by side, where the stages would
 * wait for one after the other. Left out are the tables of which an event reads one set. The sum only keeps the reads alive.
 */
const touchLines = (w: Work): number => {
  const { u32 } = w.seg
  const first = w.base >> 2
  let sum = 0
  for (let at = first; at < first + (ACTIONS >> 2); at += 16) sum |= u32[at]!
  for (let at = first + (COUNTRIES >> 2); at < first + (SLOT_BYTES >> 2); at += 16) sum |= u32[at]!
  return sum
}

/** 2. Whose it is: tenant, slot, session, keyed names, and what the policy says of the act. */
export const identify = (w: Work, s: Stages): Outcome => {
  w.tenant = s.tenantOf(w)
  s.scanner.hashNames(w.tenant.sip)
  // An identity that is resident here was found to belong when it was brought in.
  if (s.slots.peek(w.hashes.lo[S.identity]!, w.hashes.hi[S.identity]!, w.shard) < 0 && !s.belongs(w))
    return reject('identify', rejection('SHARD_MISMATCH', 'identity.id'))
  s.keyOf(w)
  w.slot = s.slots.touch(w.shard, w.hashes.lo[S.identity]!, w.hashes.hi[S.identity]!, s.dirty)
  w.seg = s.slots.segment(w.slot)
  w.base = s.slots.base(w.slot)
  w.touched = touchLines(w)
  w.flags = s.historic ? SCORED_FLAGS.historic : 0
  placeInTime(w, s.config.lateAfterMs, s.historic)
  w.isNew = w.seg.f32[(w.base + H.seen) >> 2] === 0
  if (w.isNew) introduce(w)
  nameEvent(w)
  findDuplicate(w)
  findSession(w, s.config.sessionGapMs, s.config.sessionMaxMs)
  classify(w)
  w.announced = w.tenant.changes.of(w)
  return null
}

/** 3, 4. The feature vector: the event against the identity, its peers, everyone, its windows and its session. */
export const features = (w: Work, dailyDriftBudget: number, learning: boolean): null => {
  advance(w, dailyDriftBudget, learning)
  // What its hour has been closed over would be learned twice or out of turn (C2); backfills come in any order.
  if (w.behind && (w.flags & SCORED_FLAGS.historic) === 0) w.late = true
  group = groupOf(w)
  w.maturity = maturityOf(w)
  nameFeatures(w, group, w.tenant.everyone)
  originFeatures(w, group)
  amountFeatures(w, group)
  hourFeatures(w, group)
  contextFeatures(w, group)
  roleFeature(w, group)
  if (w.announced !== null) excuseNewTools(w)
  return null
}

/** The peer group that `features` chose; for explaining a score on its own. */
export const currentGroup = (): GroupStats => group

/**
 * −log10 of the tail from which on an event that did not alert is learned at a tenth (C10), and divided by the unusual
 * events just before it: habits take repetition over sessions, a burst within one is none.
 */
const ODD_TAIL = 2.5
const ODD_WEIGHT = 0.1
/** One unusual event as a session counts it, see 6-score/evidence. */
const ONE_UNUSUAL = 256
const oddWeight = (w: Work): number => ODD_WEIGHT / Math.max(1, w.unusualAfter / 256)
/**
 * Before there is a model, or while the identity is young, nearly everything is odd and must be learned to be known; but
 * what sensitive data its peers never touch is told by them.
 */
const ODD_MATURITY = 0.5
const isOdd = (w: Work): boolean =>
  w.modelled &&
  ((w.maturity >= ODD_MATURITY && ((w.tailLog10 >= ODD_TAIL && !w.expected) || isFirstOfRestricted(w))) ||
    (w.foreign && w.sensitivity >= 2))
/** Restricted data that it never touched: the first read must not make the next ones usual, whatever it scored. */
const isFirstOfRestricted = ({ newClass, sensitivity }: Work): boolean => newClass && sensitivity >= 3

/** What an announced change was expected to bring makes nothing that follows in its session more suspicious. */
const countAsUsual = (w: Work): void => {
  if (!w.modelled) return
  if (w.unusual) w.unusualAfter -= ONE_UNUSUAL
  w.runAfter = runBefore(w)
}

/** 9. Score first, learn after: context always, baseline only what was neither alerted, late, repeated nor frozen. */
const after = (w: Work, s: Stages): null => {
  if (w.isNew) w.flags |= SCORED_FLAGS.newIdentity
  if (!w.modelled) w.flags |= SCORED_FLAGS.unmodelled
  if (w.late) w.flags |= SCORED_FLAGS.late
  if (w.duplicate) {
    w.flags |= SCORED_FLAGS.duplicate
    return null
  }
  const withheld = (w.flags & SCORED_FLAGS.withheld) !== 0
  if (w.expected) countAsUsual(w)
  if (s.learning && !withheld && !w.late && !isFrozen(w)) {
    w.flags |= SCORED_FLAGS.learned
    learn(w, s.config.halfLifeMs, (w.flags & SCORED_FLAGS.adopting) !== 0 ? ODD_WEIGHT : isOdd(w) ? oddWeight(w) : 1)
  }
  observe(w)
  return null
}

/** 10. The row for the table. */
const emit = (w: Work, s: Stages): null => {
  s.block.add(w)
  return null
}
