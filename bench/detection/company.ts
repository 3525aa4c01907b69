import { canonicalEvent, type ChunkCommit } from '@plumbline/detector'
import {
  ACCEPTED_HIJACK_REASONS,
  ACCEPTED_REASONS,
  type AttackKind,
  type GenerateOptions,
  generate,
  type HijackVariant,
  type Label,
} from '@plumbline/generator'
import { type Alert, type DetectionConfig, Event, FEATURE_COUNT, type ReasonFamily, SCORED_FLAGS } from '@plumbline/schemas'
import { alertedAs, buildRelease, laterModelDue, type Reach } from '@plumbline/training'
import { Instance } from '../../services/cli/src/evaluate/instance.ts'
import type { ScoredRow } from '@plumbline/detector/replay'

const DAY_MS = 86_400_000
const NOT_HISTORY = SCORED_FLAGS.late | SCORED_FLAGS.duplicate
/** Most recorded rows a training reads; older ones give way evenly. */
const HISTORY_ROWS = 200_000

export interface CompanyOptions {
  readonly generate: GenerateOptions
  readonly config: DetectionConfig
  /** Receives every scored row of the judged days with its label. */
  readonly onRow?: (row: ScoredRow, label: Label | null) => void
  readonly judgeFromMs: number
  /** Receives every chunk as it is committed. */
  readonly onCommit?: (commit: ChunkCommit) => void
}

export interface CaseResult {
  readonly kind: AttackKind
  readonly case: string
  readonly variant: string
  readonly size: number
  readonly twin: boolean
  caught: boolean
  explained: boolean
  families: ReasonFamily[]
  tails: number[]
}

export interface CompanyResult {
  readonly events: number
  readonly cases: readonly CaseResult[]
  /** Alert groups of benign life per judged day. */
  readonly falsePerDay: readonly number[]
  readonly falseAlerts: readonly Alert[]
  readonly scores: { readonly score: number; readonly surprise: number; readonly reconstruction: number; readonly positive: boolean }[]
  readonly features: Float32Array[]
  /** Every alert record in order of raising, and the labels by position, for judging what the daily ceiling lets out. */
  readonly alerts: readonly Alert[]
  readonly labels: ReadonlyMap<number, Label>
  readonly tails: TailCounts
}

/** How often benign life of the judged days was called so improbable, for holding the calibration to its word (contracts C11). */
export interface TailCounts {
  rows: number
  /** Rows with a tail probability of at most 1e-2, 1e-3, 1e-4. */
  readonly atMost: [number, number, number]
}

const countTail = (tails: TailCounts, tailLog10: number): void => {
  tails.rows++
  for (let i = 0; i < 3; i++) if (tailLog10 >= i + 2) tails.atMost[i]!++
}

/**
 * A generated company through a throw-away instance, as in production: statistics at 500 × 2^k events, the first net at
 * `trainAfterEvents`, then at four times the events or weekly; then the judged days. Alerts are joined to cases as packages/generator/attacks.md says.
 */
export const runCompany = async (options: CompanyOptions): Promise<CompanyResult> => {
  const instance = new Instance({
    config: options.config,
    masterKey: new Uint8Array(16),
    residentSlots: 16_384,
    onCommit: options.onCommit,
  })
  const labels = new Map<number, Label>()
  const cases = new Map<string, CaseResult>()
  const history: Float32Array[] = []
  const historyTimes: number[] = []
  const historyAlerted: number[] = []
  const historyGroups: number[] = []
  const groupNumbers = new Map<string, number>()
  const result: CompanyResult = {
    events: 0,
    cases: [],
    falsePerDay: [],
    falseAlerts: [],
    scores: [],
    features: [],
    alerts: [],
    labels: new Map(),
    tails: { rows: 0, atMost: [0, 0, 0] },
  }
  const alerts: Alert[] = []
  let events = 0
  let nextStatistics = 500
  let model: Reach | null = null
  let sequence = 0
  let recorded = false
  const identities = new Set<string>()

  const flush = (): void => {
    const flushed = instance.flush()
    if (flushed.deadLetters.length > 0) throw new Error(`refused: ${JSON.stringify(flushed.deadLetters[0])}`)
    for (const row of flushed.rows) {
      if (recorded && (row.flags & NOT_HISTORY) === 0) {
        history.push(row.features)
        historyTimes.push(row.event_time)
        const scope = `${row.identity}|${row.session === '' ? Math.floor(row.event_time / 3_600_000) : row.session}`
        if (!groupNumbers.has(scope)) groupNumbers.set(scope, groupNumbers.size)
        historyGroups.push(groupNumbers.get(scope)!)
        historyAlerted.push(alertedAs(row.flags))
      }
      if (row.event_time < options.judgeFromMs) continue
      const label = labels.get(row.offset) ?? null
      if (label === null && (row.flags & NOT_HISTORY) === 0) countTail(result.tails, row.tail_log10)
      options.onRow?.(row, label)
      if (label !== null && !label.twin && !label.key) continue
      const r = row as ScoredRow & { surprise: number; reconstruction: number }
      result.scores.push({
        score: row.score,
        surprise: r.surprise,
        reconstruction: r.reconstruction,
        positive: label !== null && !label.twin,
      })
    }
    alerts.push(...flushed.alerts)
  }

  const release = async (withModel: boolean, nowMs: number): Promise<void> => {
    flush()
    sequence++
    const kept = history.slice(-HISTORY_ROWS)
    const rows = new Float32Array(kept.length * FEATURE_COUNT)
    kept.forEach((x, i) => {
      rows.set(x, i * FEATURE_COUNT)
    })
    const times = historyTimes.slice(-HISTORY_ROWS)
    const spanDays = Math.max(0.25, ((times.at(-1) ?? nowMs) - (times[0] ?? nowMs)) / DAY_MS)
    const tenant = instance.detector.tenantsOf(0).get('default')!
    const built = await buildRelease({
      tenant: 'default',
      sequence,
      rows,
      alerted: Uint8Array.from(historyAlerted.slice(-HISTORY_ROWS)),
      groups: Uint32Array.from(historyGroups.slice(-HISTORY_ROWS)),
      eventsPerDay: Math.max(kept.length / spanDays, 1),
      slots: instance.slotsOf(tenant, identities),
      groupNames: tenant.groupNames,
      config: options.config,
      seed: 0,
      createdFrom: { positions: { 0: instance.nextOffset }, events: kept.length, fromTime: times[0] ?? 0, toTime: times.at(-1) ?? 0 },
      withModel,
    })
    instance.release(built.bytes)
    recorded = true
  }

  for (const { event, label } of generate(options.generate)) {
    const parsed = Event.parse(event)
    identities.add(parsed.identity.id)
    const offset = instance.append({ tenant: 'default', identity: parsed.identity.id, timeMs: parsed.time, bytes: canonicalEvent(parsed) })
    if (label !== null) {
      labels.set(offset, label)
      if (!cases.has(label.case)) {
        cases.set(label.case, {
          kind: label.attack,
          case: label.case,
          variant: label.variant,
          size: label.size,
          twin: label.twin,
          caught: false,
          explained: false,
          families: [],
          tails: [],
        })
      }
    }
    events++
    if (instance.due) flush()
    if (model === null && events >= nextStatistics && events < options.config.trainAfterEvents) {
      await release(false, parsed.time)
      nextStatistics *= 2
    }
    const now = { events, toTime: parsed.time }
    if (model === null ? events >= options.config.trainAfterEvents : laterModelDue(model, now, options.config.retrainEveryDays)) {
      await release(true, parsed.time)
      model = now
    }
  }
  flush()
  const perDay = new Map<number, number>()
  let lastMs = options.judgeFromMs
  for (const alert of alerts) {
    const hits = alert.evidence.map((p) => labels.get(p.offset)).filter((l) => l !== undefined)
    for (const label of hits) {
      const c = cases.get(label.case)!
      if (!label.twin && !label.key) continue
      c.caught = true
      c.families.push(alert.family)
      if (accepted(label).includes(alert.family)) c.explained = true
    }
    lastMs = Math.max(lastMs, alert.lastSeen)
    if (hits.length > 0 || alert.revision > 1 || alert.firstSeen < options.judgeFromMs) continue
    const day = Math.floor(alert.firstSeen / DAY_MS)
    perDay.set(day, (perDay.get(day) ?? 0) + 1)
    ;(result.falseAlerts as Alert[]).push(alert)
  }
  const from = Math.floor(options.judgeFromMs / DAY_MS)
  const to = Math.floor(((options.generate.startTime ?? Date.UTC(2026, 9, 1)) + (options.generate.days ?? 15) * DAY_MS - 1) / DAY_MS)
  const falsePerDay: number[] = []
  for (let day = from; day <= to; day++) falsePerDay.push(perDay.get(day) ?? 0)
  return { ...result, events, cases: [...cases.values()], falsePerDay, alerts, labels }
}

export const accepted = (label: Label): readonly ReasonFamily[] =>
  label.attack === 'hijack' ? ACCEPTED_HIJACK_REASONS[label.variant as HijackVariant] : ACCEPTED_REASONS[label.attack]

/** Average precision, ties counted together. */
export const averagePrecision = (rows: readonly { readonly score: number; readonly positive: boolean }[]): number => {
  const sorted = [...rows].sort((a, b) => b.score - a.score)
  const positives = sorted.reduce((n, r) => n + (r.positive ? 1 : 0), 0)
  let tp = 0
  let fp = 0
  let sum = 0
  for (let i = 0; i < sorted.length; ) {
    let j = i
    let hits = 0
    for (; j < sorted.length && sorted[j]!.score === sorted[i]!.score; j++) hits += sorted[j]!.positive ? 1 : 0
    tp += hits
    fp += j - i - hits
    sum += (hits / positives) * (tp / (tp + fp))
    i = j
  }
  return sum
}
