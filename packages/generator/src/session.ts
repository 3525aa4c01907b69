import type { Outcome, Provenance } from '@plumbline/schemas'
import { argumentsOf, contentOf, type TextPin } from './content.ts'
import { chooseDestination, chooseProvenance } from './destinations.ts'
import { type MadeEvent, thin } from './level.ts'
import { chooseSource, releaseAt, releaseFactor, releaseTool, type SourceInfo, type VersionInfo, versionOf } from './life.ts'
import { HOUR } from './options.ts'
import { hashText, hex32, mix, type Rng, unitOf } from './prng.ts'
import type { Step, Task } from './role.ts'
import { type Tool, tool } from './tools.ts'
import type { Member, Who, World } from './world.ts'

/** What stays the same over one session. */
export interface Session {
  readonly world: World
  readonly member: Member
  readonly id: string | undefined
  readonly source: SourceInfo
  readonly version: VersionInfo | undefined
  readonly onBehalf: readonly Who[] | undefined
  readonly factor: number
  readonly rng: Rng
}

/** What a caller may pin instead of leaving it to the member's habits. */
export interface Pin extends TextPin {
  readonly destination?: string
  readonly provenance?: Provenance
  readonly bytesIn?: number
  readonly bytesOut?: number
  readonly resourceId?: string
  readonly segment?: string
  readonly outcome?: Outcome
  readonly source?: SourceInfo
  readonly tokensOut?: number
  readonly tokensIn?: number
  readonly durationMs?: number
}

const NO_PIN: Pin = {}

export const openSession = (w: World, m: Member, time: number, rng: Rng, source?: SourceInfo): Session => {
  const release = releaseAt(w, m, time)
  return {
    world: w,
    member: m,
    id: m.role.constant ? undefined : `s-${hex32(rng.u32())}${hex32(rng.u32()).slice(0, 4)}`,
    source: source ?? chooseSource(w, m, time, rng),
    version: versionOf(w, m.role, release),
    onBehalf: onBehalf(m, rng),
    factor: releaseFactor(w, m.role, release),
    rng,
  }
}

const onBehalf = (m: Member, rng: Rng): readonly Who[] | undefined => {
  if (m.principals.length > 0) return [m.principals[rng.rank(m.principals.length)]!]
  if (m.role.name === 'support-bot') return [{ id: `u-${1_000 + rng.below(20_000)}`, kind: 'user' }]
  return undefined
}

/** A resource the member would touch: half the time one of its own working set, else any; tickets count up. */
const resourceId = (m: Member, t: Tool, time: number, rng: Rng): string | undefined => {
  if (t.item === null) return undefined
  if (t.space === 0) return `${t.item}/${(Math.floor(time / 90_000) % 10_000_000) - rng.rank(400)}`
  const own = rng.chance(0.6)
  const n = own
    ? Math.floor(unitOf(mix(mix(m.hash, 8_000 + t.index), rng.rank(40) + Math.floor(time / (9 * 24 * HOUR)) * 7)) * t.space)
    : rng.below(t.space)
  return `${t.item}/${n + 1}`
}

const size = (median: number, sigma: number, m: Member, s: Session): number => {
  if (sigma === 0) return median
  const tuning = s.world.settings.tuning
  let x = median * m.scale * Math.exp(sigma * tuning.spreadOfSizes * s.rng.normal())
  if (s.rng.chance(0.0015 * tuning.bigOnes)) x *= s.rng.logBetween(8, 60)
  return Math.round(x)
}

const drawOutcome = (s: Session, t: Tool): Outcome => {
  if (s.member.role.constant) return 'success'
  const { tuning } = s.world.settings
  const u = s.rng.unit()
  const denied = 0.003 * tuning.denials * (t.sensitivity >= 2 ? 2 : 1)
  return u < denied ? 'denied' : u < denied + 0.014 * tuning.failures ? 'failure' : 'success'
}

/** One event of a session at `time`. The same function makes benign life, attacks and twins. */
export const makeEvent = (s: Session, t: Tool, time: number, pin: Pin = NO_PIN): MadeEvent => {
  const { member: m, rng } = s
  const { settings } = s.world
  const id = hex32(rng.u32()) + hex32(rng.u32())
  const outcome = pin.outcome ?? drawOutcome(s, t)
  const ok = outcome === 'success'
  const chat = t.op === 'chat'
  const tokensIn = chat ? (pin.tokensIn ?? size(2_400 * s.factor, 0.7, m, s)) : undefined
  const tokensOut = chat && ok ? (pin.tokensOut ?? size(380 * s.factor, 0.75, m, s)) : undefined
  // Fields at their default (version, tenant, success) are left out, as a thrifty sender would.
  const event: Record<string, unknown> = { id, time }
  if (settings.tenant !== 'default') event['tenant'] = settings.tenant
  event['identity'] = s.version !== undefined ? { id: m.id, kind: m.role.kind, version: s.version } : { id: m.id, kind: m.role.kind }
  if (s.onBehalf !== undefined) event['delegation'] = s.onBehalf
  if (settings.peerGroups) event['peerGroup'] = m.role.name
  if (s.id !== undefined) event['session'] = s.id
  event['action'] = t.action
  fillAccess(event, s, t, time, outcome, pin)
  if (tokensIn !== undefined) event['tokensIn'] = tokensIn
  if (tokensOut !== undefined) event['tokensOut'] = tokensOut
  event['durationMs'] = pin.durationMs ?? (m.role.constant ? t.ms : duration(s, t, event as MadeEvent))
  event['source'] = pin.source ?? s.source
  if (settings.arguments) event['attributes'] = argumentsOf(t, hashText(id))
  return thin(event as MadeEvent, s.world.full ? 'L2' : m.traits.stock ? 'L0' : settings.level)
}

/** Large things and long answers take longer. */
const duration = (s: Session, t: Tool, e: MadeEvent): number =>
  Math.round(t.ms * s.factor * Math.exp(0.5 * s.rng.normal()) + (e.tokensOut ?? 0) * 9 + ((e.bytesIn ?? 0) + (e.bytesOut ?? 0)) / 80_000)

/** What was accessed, where data went, how much. */
const fillAccess = (event: Record<string, unknown>, s: Session, t: Tool, time: number, outcome: Outcome, pin: Pin): void => {
  const { member: m, rng } = s
  const id = pin.resourceId ?? resourceId(m, t, time, rng)
  const resource: Record<string, unknown> = id === undefined ? { class: t.class } : { id, class: t.class }
  resource['sensitivity'] = t.sensitivity
  const segment = pin.segment ?? t.segment
  if (segment !== 'corp') resource['segment'] = segment
  event['resource'] = resource
  event['segment'] = m.role.segment
  const destination = pin.destination ?? (t.to === null ? undefined : chooseDestination(s.world, m, t.to, rng))
  let provenance: Provenance | undefined
  if (destination !== undefined) event['destination'] = destination
  if (destination !== undefined && m.role.kind === 'agent')
    provenance = pin.provenance ?? (t.to === null ? undefined : (chooseProvenance(t.to, rng) ?? undefined))
  if (provenance !== undefined) event['destinationProvenance'] = provenance
  const ok = outcome === 'success'
  if (!ok) event['outcome'] = outcome
  event['bytesIn'] = !ok ? 120 : (pin.bytesIn ?? size(t.bytesIn, t.sigma, m, s))
  event['bytesOut'] = !ok ? 90 : (pin.bytesOut ?? size(t.bytesOut, t.op === 'write' ? t.sigma : Math.min(t.sigma, 0.4), m, s))
  if (m.role.kind !== 'agent') return
  const content = contentOf(s.world.settings.seed, rng, t, provenance, pin)
  if (content !== undefined) event['content'] = content
}

/** Time between two events of a session, ms. */
export const gap = (s: Session): number => Math.round(Math.min(20 * 60_000, 40 + s.rng.logNormal(s.member.role.gapMs, 0.9)))

const stepChance = (m: Member, step: Step, i: number): number =>
  step.chance === 1
    ? 0.985
    : Math.min(0.99, Math.max(0.01, step.chance + 0.3 * (unitOf(mix(mix(m.hash, 9_000 + i), step.tool.index)) - 0.5)))

/** The task a member would take up now. */
export const chooseTask = (m: Member, time: number, rng: Rng): Task => {
  const { taste, role, traits } = m
  if (traits.expandsTo !== null && time >= traits.expandsAt && rng.chance(0.2)) return traits.expandsTo
  const u = rng.unit() * taste[taste.length - 1]!
  for (let i = 0; i < taste.length; i++) if (u < taste[i]!) return role.tasks[i]!
  return role.tasks[0]!
}

/** Tool used outside the script, or null: mostly the role's rare ones, now and then one the latest release brought. */
const chooseExtra = (s: Session, time: number): Tool | null => {
  const { member: m, rng } = s
  if (m.role.rare.length === 0) return null
  const u = rng.unit() / s.world.settings.tuning.rareTools
  if (u < 0.008) return m.role.rare[rng.rank(m.role.rare.length)]!
  if (u < 0.018) return releaseTool(s.world, m.role, releaseAt(s.world, m, time))
  return null
}

/** A token has run out: a few denials, a refresh. */
const expiredToken = (s: Session, t: Tool, start: number, sink: (e: MadeEvent) => void): number => {
  let time = start
  for (let n = s.rng.between(1, 4); n > 0; n--) {
    sink(makeEvent(s, t, time, { outcome: 'denied' }))
    time += gap(s)
  }
  sink(makeEvent(s, tool('token.refresh'), time, { outcome: 'success' }))
  return time + gap(s)
}

/** Runs a task script and hands each event to `sink`; returns the time after the last one. */
export const runTask = (s: Session, task: Task, start: number, sink: (e: MadeEvent) => void): number => {
  const { rng, member } = s
  let time = start
  if (!member.role.constant && rng.chance(0.005 * s.world.settings.tuning.denials)) time = expiredToken(s, task.steps[0]!.tool, time, sink)
  for (let i = 0; i < task.steps.length; i++) {
    const step = task.steps[i]!
    if (!rng.chance(stepChance(member, step, i))) continue
    for (let n = step.min === step.max ? step.min : rng.between(step.min, step.max); n > 0; n--) {
      const e = makeEvent(s, step.tool, time)
      sink(e)
      time += gap(s)
      if (e.outcome !== undefined && rng.chance(0.6)) {
        sink(makeEvent(s, step.tool, time))
        time += gap(s)
      }
    }
    const extra = rng.chance(0.5) ? chooseExtra(s, time) : null
    if (extra !== null) {
      sink(makeEvent(s, extra, time))
      time += gap(s)
    }
  }
  return time
}
