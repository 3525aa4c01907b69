import {
  type Alert,
  type AlertCapsule,
  MOST_EVIDENCE,
  type Position,
  REASON_FAMILIES,
  type ReasonFamily,
  type ReplayCoordinates,
  SCORED_FLAGS,
  type Severity,
  VERSION_PARTS,
} from '@plumbline/schemas'
import { S } from '../record.ts'
import type { GroupStats } from '../state/groups.ts'
import { A, ANCHOR, H, SLOT_FLAGS, SLOT_VERSION } from '../state/layout.ts'
import type { Slots } from '../state/slots.ts'
import { packSlot } from '../state/pack.ts'
import { indexOf } from '../state/index-of.ts'
import { CATALOGUE_HASH, DETECTOR_VERSION } from '../version.ts'
import type { Work } from '../work.ts'
import { remainderOf, unannouncedParts } from './announced.ts'
import { closeGroup, closeSilent, keepOpen } from './close.ts'
import { leadingFamily } from './families.ts'
import { factsOf } from './facts.ts'
import { type GroupState, hasSafe, isSafe, joinGroup, safeKey } from './groups.ts'
import { alertId } from './identity.ts'
import { isQuietWithout, reasonsEnough } from './quiet.ts'
import { reasonsOf } from './reasons.ts'
import { ruleOf } from './rules.ts'
import { techniquesOf } from './techniques.ts'
import { textOf } from './text-of.ts'
import { type AlertGroup, counterfactualOf, wordsOf } from './words.ts'

/** What the shard knows that an alert needs beside the event. */
export interface AlertContext {
  readonly topic: string
  readonly configHash: string
  readonly groupWindowMs: number
  readonly tailFloorLog10: number
  readonly historic: boolean
  /** Age of a group from which on it is adopted. */
  readonly adoptAfterMs: number
  readonly slots: Slots
  /** Slots touched since the last commit. */
  readonly dirty: number[]
  /** A revision with what it can be replayed from; a closing one has nothing new to replay. */
  alert(alert: Alert, capsule: AlertCapsule | null): void
  /** Adds to the identity's risk and returns it. */
  raiseRisk(w: Work, contribution: number, criticality: number): number
  /** Scores a sheet again, for telling what would have kept it quiet. */
  rescore(w: Work): void
  /** Counts what kept an alert quiet, by reason. */
  quiet(reason: 'exception' | 'safe' | 'maintenance' | 'calendar' | 'grouped' | 'announced'): void
}

const SENSITIVITY = indexOf('class_sensitivity')

/**
 * Decides whether the scored event alerts, groups it, and writes the alert in words. Sets flags on the sheet;
 * an event that alerts is withheld from learning (INV-5).
 */
export const alert = (w: Work, group: GroupStats, ctx: AlertContext): null => {
  w.expected = false
  w.unannounced = 0
  if (w.duplicate) return null
  closeSilent(w, ctx)
  w.unannounced = unannouncedParts(w, ctx.historic)
  const rule = ruleOf(w, group, isQuiet)
  const byRule = rule !== null
  const explained = !byRule && w.announced !== null && isExplained(w, group, ctx)
  if (!byRule && w.tailLog10 < thresholdOf(w, ctx)) return null
  const family = byRule ? rule : deniedAgain(w) ? 'probing' : leadingFamily(w)
  const quiet = explained ? 'announced' : (whyQuiet(w, family) ?? (isQuietButForSafe(w, group, ctx) ? 'safe' : null))
  if (quiet !== null) {
    ctx.quiet(quiet)
    // A verdict says that this is normal, an announced change that it will be; an exception, a window or a calendar only that nobody wants to be told of it now.
    w.flags |= SCORED_FLAGS.excepted | (quiet === 'safe' || quiet === 'announced' ? 0 : SCORED_FLAGS.withheld)
    return null
  }
  w.flags |= SCORED_FLAGS.alerted | SCORED_FLAGS.withheld | (byRule ? SCORED_FLAGS.critical : 0)
  publish(w, group, ctx, family, byRule)
  return null
}

const thresholdOf = (w: Work, ctx: AlertContext): number =>
  Math.max(ctx.tailFloorLog10, w.tenant.release?.header.thresholds.alertTailLog10 ?? ctx.tailFloorLog10)

/** −log10 of the tail from which on an event is odd enough to ask what an announced change explains of it. */
const ODD = 2.5

/**
 * Whether an announced change leaves too little of the event to alert. Where it leaves nothing odd either, the event is what the
 * change was expected to bring: it counts as usual in its session and is learned in full.
 */
const isExplained = (w: Work, group: GroupStats, ctx: AlertContext): boolean => {
  if (w.tailLog10 < ODD) return false
  const rest = remainderOf(w, group, ctx.rescore)
  if (rest === null || rest.ruled || rest.tailLog10 >= thresholdOf(w, ctx)) return false
  w.expected = rest.tailLog10 < ODD
  if (w.expected || w.tailLog10 >= thresholdOf(w, ctx)) w.flags |= SCORED_FLAGS.announced
  return true
}

/** A row of denials on the same class: whatever else is odd about it, somebody is trying doors. */
const DENIALS = 3
const deniedAgain = (w: Work): boolean => {
  const at = (w.base + ANCHOR) >> 2
  return (
    w.event.outcome === 2 && w.seg.u32[at + (A.lastDeniedClass >> 2)] === w.class_ && w.seg.f32[at + (A.deniedRun >> 2)]! >= DENIALS - 1
  )
}

/** What a verdict called safe counts for nothing: what is left must be enough to alert. */
const isQuietButForSafe = (w: Work, group: GroupStats, ctx: AlertContext): boolean => {
  if (!hasSafe(w)) return false
  const safe = REASON_FAMILIES.filter((f) => isSafe(w, safeKey(f, safeObject(w, f))))
  return safe.length > 0 && isQuietWithout(w, group, safe, thresholdOf(w, ctx), ctx.rescore)
}

const isQuiet = (w: Work, family: ReasonFamily): boolean => whyQuiet(w, family) !== null

const whyQuiet = (w: Work, family: ReasonFamily): 'exception' | 'safe' | 'maintenance' | 'calendar' | null => {
  if (isSafe(w, safeKey(family, safeObject(w, family)))) return 'safe'
  const policy = w.tenant.policy
  if (w.tenant.policySource === null) return null
  const id = textOf(w, S.identity)!
  if (policy.exceptionFor(id, family, textOf(w, S.resourceClass)!, w.timeMs) !== undefined) return 'exception'
  if (policy.inMaintenance(id, w.timeMs) !== undefined) return 'maintenance'
  // That much is expected today says nothing of where it may go.
  const newPlaceOutside = w.isExternal && w.newDestination
  return !newPlaceOutside && policy.calendarFor(id, family, w.timeMs) !== undefined ? 'calendar' : null
}

/** What "alike" means for a verdict: the destination for flows, the class for access, the source for places, the version, else the action. */
export const safeObject = (w: Work, family: ReasonFamily): number => {
  switch (family) {
    case 'new_destination':
    case 'toxic_flow':
      return w.destination === 0 ? w.action : w.destination
    case 'sensitive_access':
    case 'probing':
    case 'enumeration':
      return w.class_
    case 'source':
    case 'travel':
    case 'shared_credential':
      return w.country === 0 ? w.network : w.country
    case 'lateral_movement':
      return w.segments
    case 'volume':
    case 'drift':
      return w.destination === 0 ? w.class_ : w.destination
    case 'off_hours':
      return w.hourOfWeek + 1
    case 'policy':
      return w.said.denied === 'way' ? w.segments : w.action
    case 'version_change':
      return w.versions === 0 ? w.action : w.versions
    default:
      return w.action
  }
}

/** Prompt and tools say what an agent does, and come from others most easily. */
const STEERING = (1 << VERSION_PARTS.indexOf('prompt')) | (1 << VERSION_PARTS.indexOf('tools'))

const severityOf = (w: Work, byRule: boolean, family: ReasonFamily): Severity => {
  let level = w.tailLog10 >= 9 ? 2 : w.tailLog10 >= 6.5 ? 1 : 0
  if (byRule && family === 'version_change') level = Math.max(level, (w.unannounced & STEERING) === 0 ? 1 : 2)
  else if (byRule) level = Math.max(level, family === 'toxic_flow' || w.features[SENSITIVITY]! >= 1 ? 3 : 2)
  return (['low', 'medium', 'high', 'critical'] as const)[level]!
}

/** What is held against sensitive data, flows, policy or somebody at the doors becomes normal by a person's word only (contracts C10). */
const NEVER_ADOPTED: readonly ReasonFamily[] = ['sensitive_access', 'toxic_flow', 'policy', 'probing', 'shared_credential', 'travel']

const publish = (w: Work, group: GroupStats, ctx: AlertContext, family: ReasonFamily, byRule: boolean): void => {
  const severity = severityOf(w, byRule, family)
  // The capsule holds the state the score was made from: taken before the group below changes it.
  const slot = packSlot(w.seg, w.base)
  const pattern = safeKey(family, safeObject(w, family))
  // Work that no peer does is told by rule and may become one's own; whatever else a rule raised may not.
  const never = (byRule && family !== 'new_behaviour') || NEVER_ADOPTED.includes(family) || isFrozen(w)
  const adoptAfterMs = never ? Number.POSITIVE_INFINITY : ctx.adoptAfterMs
  const state = joinGroup(w, family, severity, ctx.groupWindowMs, adoptAfterMs, pattern, (at) => closeGroup(w, w.seg, at, ctx))
  if (state?.adopting === true) w.flags = (w.flags & ~SCORED_FLAGS.withheld) | SCORED_FLAGS.adopting
  const position: Position = { topic: ctx.topic, shard: w.shard, offset: w.offset }
  if (state === null || !state.publish) {
    if (state !== null) w.tenant.open.note(state.firstOffset, position)
    ctx.quiet('grouped')
    return
  }
  const told = w.tenant.open.lastOf(state.firstOffset)
  if (told !== null && isGraver(told, severity, byRule)) {
    publishAgain(w, ctx, told, state, position, severity)
    return
  }
  const facts = factsOf(w, reasonsOf(w, family, group, state.again), group)
  const counterfactual = counterfactualOf(facts, reasonsEnough(w, group, facts.reasons, thresholdOf(w, ctx), ctx.rescore))
  const risk = ctx.raiseRisk(w, 25 * (severityRank(severity) + 1), facts.identity.criticality)
  const groupKey = `${family}:${state.key.toString(16).padStart(8, '0')}`
  const replay: ReplayCoordinates = {
    position,
    releaseId: w.tenant.releaseId,
    stateVersion: SLOT_VERSION,
    configHash: ctx.configHash,
    policyHash: w.tenant.policy.hash,
    detectorVersion: DETECTOR_VERSION,
    catalogueHash: CATALOGUE_HASH,
  }
  const id = alertId(facts.tenant, facts.identity.id, groupKey, ctx.topic, w.shard, state.firstOffset)
  const alert: Alert = {
    v: 1,
    id,
    revision: state.revision,
    activity: state.revision === 1 ? 'create' : 'update',
    family,
    groupKey,
    severity,
    score: w.score,
    risk,
    critical: byRule,
    historic: ctx.historic,
    facts,
    text: wordsOf(facts, tellingOf(state)),
    techniques: [...techniquesOf([family], facts.identity.kind)],
    firstSeen: state.firstTime,
    lastSeen: state.lastTime,
    count: state.count,
    suppressed: state.suppressed,
    ...(state.adopting ? { adopting: true } : {}),
    evidence: evidenceOf(w, state.firstOffset, position),
    ...(counterfactual === undefined ? {} : { counterfactual }),
    replay,
  }
  keepOpen(w, alert, ctx)
  ctx.alert(alert, {
    v: 1,
    alertId: id,
    revision: state.revision,
    replay,
    ingestTime: w.ingestTimeMs,
    event: Buffer.from(w.raw).toString('base64'),
    slot: Buffer.from(slot).toString('base64'),
    score: w.score,
    features: Array.from(w.features),
    ...changesOf(w),
  })
}

/** The changes that the alert depends on: those it falls under, or where none covers it, the last one that was announced. */
const changesOf = (w: Work): Pick<AlertCapsule, 'changes'> => {
  if (w.announced !== null) return { changes: [...w.announced.all] }
  return w.unannounced === 0 ? {} : { changes: w.tenant.changes.latest() }
}

/** What was told of the group already weighs more than this event: a milder act must not take the word from it. */
const isGraver = (told: Alert, severity: Severity, byRule: boolean): boolean => {
  const by = severityRank(told.severity) - severityRank(severity)
  return by > 0 || (by === 0 && told.critical && !byRule)
}

/** A revision that counts a milder event: the gravest act keeps the words, the severity and the capsule. */
const publishAgain = (w: Work, ctx: AlertContext, told: Alert, state: GroupState, position: Position, severity: Severity): void => {
  const { revision, count, suppressed } = state
  const risk = ctx.raiseRisk(w, 25 * (severityRank(severity) + 1), told.facts.identity.criticality)
  const alert: Alert = {
    ...told,
    revision,
    activity: 'update',
    risk,
    text: wordsOf(told.facts, { ...tellingOf(state), isGravest: true }),
    lastSeen: state.lastTime,
    count,
    suppressed,
    ...(state.adopting ? { adopting: true } : {}),
    evidence: evidenceOf(w, state.firstOffset, position),
  }
  keepOpen(w, alert, ctx)
  ctx.alert(alert, null)
}

const tellingOf = ({ firstTime, lastTime, count, suppressed, alike, bytesOut, adopting }: GroupState): AlertGroup => ({
  firstSeen: firstTime,
  lastSeen: lastTime,
  count,
  suppressed,
  alike,
  bytesOut,
  adopting,
})

/** The group's first events and the one at hand; of a group that is known only by its slot, the first. */
const evidenceOf = (w: Work, firstOffset: number, position: Position): Position[] => {
  if (firstOffset === position.offset) return [position]
  const known = w.tenant.open.evidenceOf(firstOffset)
  const first = known.length > 0 ? known : [{ ...position, offset: firstOffset }]
  return [...first.slice(0, MOST_EVIDENCE - 1), position]
}

const severityRank = (severity: Severity): number => ['low', 'medium', 'high', 'critical'].indexOf(severity)

/** Whether learning from this identity is frozen by a confirmed verdict. */
export const isFrozen = (w: Work): boolean => (w.seg.u16[(w.base + H.flags) >> 1]! & SLOT_FLAGS.frozen) !== 0
