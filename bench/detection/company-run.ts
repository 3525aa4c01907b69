import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AlertBudget } from '@plumbline/adapters/siem'
import type { ScoredRow } from '@plumbline/detector/replay'
import { type AttackKind, type GenerateOptions, labelledWindow, type Label } from '@plumbline/generator'
import { type Alert, DEFAULT_DETECTION_CONFIG, FEATURE_COUNT, type ReasonFamily } from '@plumbline/schemas'
import { CACHE, hashOf, sourceHash } from '../lib/paths.ts'
import { accepted, runCompany, type TailCounts } from './company.ts'

const DAY_MS = 86_400_000

export interface CaseOutcome {
  readonly kind: AttackKind
  readonly case: string
  readonly variant: string
  readonly size: number
  readonly twin: boolean
  /** An alert that joins the case was raised; and one was delivered, not held back by the day's ceiling. */
  raised: boolean
  delivered: boolean
  /** A delivered alert leads with an accepted reason. */
  explained: boolean
  families: ReasonFamily[]
}

/** What a generated company's life through the detector came to. Plain data, cached. */
export interface CompanyRun {
  readonly events: number
  readonly seconds: number
  readonly cases: readonly CaseOutcome[]
  /** Per judged day: alert groups of benign life that were delivered, those that the ceiling held, and all groups delivered. */
  readonly days: readonly { readonly false: number; readonly falseHeld: number; readonly delivered: number }[]
  readonly falseFamilies: Readonly<Record<string, number>>
  readonly tails: TailCounts
  /** Where the vectors are, when asked for. */
  readonly vectors: string | null
}

export interface CompanyRunOptions {
  readonly generate: GenerateOptions
  /** Judged from this day of the company's life on (0 = first); default: the labelled days. */
  readonly judgeFromDay?: number
  /** Keep the vectors of the judged days and of some days before, for other detectors. */
  readonly keepVectors?: boolean
}

/** Reads from the cache what the same sources made of the same options. */
export const companyRun = async (options: CompanyRunOptions): Promise<CompanyRun> => {
  const sources = sourceHash(
    'packages/detector/src',
    'packages/training/src',
    'packages/generator/src',
    'schemas/src',
    'services/cli/src/evaluate',
    'bench/detection/company.ts',
    'bench/detection/company-run.ts',
  )
  const key = hashOf(options, sources)
  const path = join(CACHE, `company-${key}.json`)
  if (!existsSync(path)) {
    process.stderr.write(
      `a company of ${options.generate.identities} over ${options.generate.days} days, seed ${options.generate.seed} …\n`,
    )
    const run = await live(options, join(CACHE, `vectors-${key}`))
    writeFileSync(`${path}.part`, JSON.stringify(run))
    renameSync(`${path}.part`, path)
  }
  return JSON.parse(readFileSync(path, 'utf8')) as CompanyRun
}

const live = async (options: CompanyRunOptions, vectorsPath: string): Promise<CompanyRun> => {
  const { generate, judgeFromDay, keepVectors = false } = options
  const window = labelledWindow(generate)
  const startMs = window.to - (generate.days ?? 15) * DAY_MS
  const judgeFromMs = judgeFromDay === undefined ? window.from : startMs + judgeFromDay * DAY_MS
  const vectors = keepVectors ? new VectorFile(judgeFromMs) : null
  const started = performance.now()
  const result = await runCompany({
    generate,
    config: DEFAULT_DETECTION_CONFIG,
    judgeFromMs: keepVectors ? startMs : judgeFromMs,
    ...(vectors === null ? {} : { onRow: (row: ScoredRow, label: Label | null) => vectors.add(row as unknown as RowLike, label) }),
  })
  vectors?.write(vectorsPath)
  const seconds = (performance.now() - started) / 1000
  const judged = judge(result.alerts, result.labels, judgeFromMs, window.to)
  const cases = result.cases.map(
    (c): CaseOutcome =>
      judged.cases.get(c.case) ?? {
        kind: c.kind,
        case: c.case,
        variant: c.variant,
        size: c.size,
        twin: c.twin,
        raised: false,
        delivered: false,
        explained: false,
        families: [],
      },
  )
  return {
    events: result.events,
    seconds,
    cases,
    days: judged.days,
    falseFamilies: judged.falseFamilies,
    tails: result.tails,
    vectors: vectors === null ? null : vectorsPath,
  }
}

/** Alerts through the daily ceiling in the order raised (the first critical one of a kind is never held), joined to cases by their evidence. */
const judge = (alerts: readonly Alert[], labels: ReadonlyMap<number, Label>, fromMs: number, toMs: number) => {
  const budget = new AlertBudget(() => DEFAULT_DETECTION_CONFIG.alertBudgetPerDay)
  const cases = new Map<string, CaseOutcome>()
  const groups = new Map<string, { readonly day: number; joins: boolean; delivered: boolean; readonly family: string }>()
  for (const alert of alerts) {
    const delivered = budget.decide(alert) === 'delivered'
    if (alert.lastSeen < fromMs) continue
    const group = groups.get(alert.id) ?? {
      day: Math.floor(alert.firstSeen / DAY_MS),
      joins: false,
      delivered: false,
      family: alert.family,
    }
    groups.set(alert.id, group)
    group.delivered ||= delivered
    for (const { offset } of alert.evidence) {
      const label = labels.get(offset)
      if (label === undefined) continue
      // Surroundings of an attack are neither caught nor false.
      group.joins = true
      if (!label.twin && !label.key) continue
      const c = cases.get(label.case) ?? {
        kind: label.attack,
        case: label.case,
        variant: label.variant,
        size: label.size,
        twin: label.twin,
        raised: false,
        delivered: false,
        explained: false,
        families: [],
      }
      cases.set(label.case, c)
      c.raised = true
      if (!c.families.includes(alert.family)) c.families.push(alert.family)
      c.delivered ||= delivered
      c.explained ||= delivered && accepted(label).includes(alert.family)
    }
  }
  const days: { false: number; falseHeld: number; delivered: number }[] = []
  const falseFamilies: Record<string, number> = {}
  const first = Math.floor(fromMs / DAY_MS)
  for (let day = first; day < Math.ceil(toMs / DAY_MS); day++) days.push({ false: 0, falseHeld: 0, delivered: 0 })
  for (const g of groups.values()) {
    const day = days[g.day - first]
    if (day === undefined) continue
    if (g.delivered) day.delivered++
    if (g.joins) continue
    if (g.delivered) day.false++
    else day.falseHeld++
    if (g.delivered) falseFamilies[g.family] = (falseFamilies[g.family] ?? 0) + 1
  }
  return { cases, days, falseFamilies }
}

/** The columns kept here; the reader's type names fewer of them. */
interface RowLike {
  readonly event_time: number
  readonly identity: string
  readonly session: string
  readonly score: number
  readonly surprise: number
  readonly reconstruction: number
  readonly flags: number
  readonly features: Float32Array
}

/** Columns beside a vector in the `.meta` file, float32. */
const META = ['judged', 'label', 'score', 'surprise', 'reconstruction', 'session_events', 'session'] as const

/** Label of a row: 0 benign life or a twin, 1 key event of an attack, 2 surroundings of an attack (left out). */
class VectorFile {
  readonly #judgeFromMs: number
  readonly #vectors: Float32Array[] = []
  readonly #meta: number[] = []
  /** Events so far and number of each session. */
  readonly #sessions = new Map<string, { events: number; readonly number: number }>()

  constructor(judgeFromMs: number) {
    this.#judgeFromMs = judgeFromMs
  }

  add(row: RowLike, label: Label | null): void {
    const session = `${row.identity}|${row.session === '' ? Math.floor(row.event_time / 3_600_000) : row.session}`
    const known = this.#sessions.get(session) ?? { events: 0, number: this.#sessions.size }
    known.events++
    this.#sessions.set(session, known)
    this.#vectors.push(row.features)
    const kind = label === null || label.twin ? 0 : label.key ? 1 : 2
    this.#meta.push(
      row.event_time >= this.#judgeFromMs ? 1 : 0,
      kind,
      row.score,
      row.surprise,
      row.reconstruction,
      known.events,
      known.number,
    )
  }

  write(path: string): void {
    const rows = new Float32Array(this.#vectors.length * FEATURE_COUNT)
    for (const [i, v] of this.#vectors.entries()) rows.set(v, i * FEATURE_COUNT)
    writeFileSync(`${path}.f32`, rows)
    writeFileSync(`${path}.meta`, Float32Array.from(this.#meta))
  }
}

export interface Vectors {
  readonly count: number
  readonly rows: Float32Array
  readonly of: (column: (typeof META)[number], i: number) => number
}

export const readVectors = (path: string): Vectors => {
  const rows = floats(readFileSync(`${path}.f32`))
  const meta = floats(readFileSync(`${path}.meta`))
  return { count: meta.length / META.length, rows, of: (column, i) => meta[i * META.length + META.indexOf(column)]! }
}

const floats = (bytes: Buffer): Float32Array => new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
