import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AlertBudget } from '@plumbline/adapters/siem'
import type { ScoredRow } from '@plumbline/detector/replay'
import { type AttackKind, type GenerateOptions, labelledWindow, type Label } from '@plumbline/generator'
import { type Alert, DEFAULT_DETECTION_CONFIG, type ReasonFamily } from '@plumbline/schemas'
import { CACHE, hashOf, sourceHash } from '../lib/paths.ts'
import { accepted, runCompany, type TailCounts } from './company.ts'
import { type RowLike, VectorFile } from './company-vectors.ts'

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
  /** The first delivered alert does. */
  explainedFirst: boolean | null
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
    'bench/detection/company-vectors.ts',
  )
  const key = hashOf(options, sources)
  const path = join(CACHE, `company-${key}.json`)
  const vectors = join(CACHE, `vectors-${key}`)
  if (!existsSync(path)) {
    process.stderr.write(
      `a company of ${options.generate.identities} over ${options.generate.days} days, seed ${options.generate.seed} …\n`,
    )
    const run = await live(options, vectors)
    writeFileSync(`${path}.part`, JSON.stringify(run))
    renameSync(`${path}.part`, path)
  }
  // Said by the place of this cache, not by that of whoever filled it.
  const run = JSON.parse(readFileSync(path, 'utf8')) as CompanyRun
  return { ...run, vectors: run.vectors === null ? null : vectors }
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
  vectors?.write(
    vectorsPath,
    result.cases.map((c) => c.case),
  )
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
        explainedFirst: null,
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
        explainedFirst: null,
        families: [],
      }
      cases.set(label.case, c)
      c.raised = true
      if (!c.families.includes(alert.family)) c.families.push(alert.family)
      if (delivered) c.explainedFirst ??= accepted(label).includes(alert.family)
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
