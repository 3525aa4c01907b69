import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type SupervisedEngine, superviseEngine } from '../../services/recorder/src/index.ts'
import type { ChildPlan } from './child.ts'
import { judgeCompany } from './company.ts'
import { type Verdict, judge, runChild } from './harness.ts'
import { writeCompany } from './plan.ts'

/** Every place a run may die at, in the order of an event's way. */
export const POINTS = [
  'sender:before',
  'append:begin',
  'append:inside',
  'append:flushing',
  'append:durable',
  'sender:answered',
  'worker:acquired',
  'worker:read',
  'worker:processed',
  'worker:committing',
  'commit:begin',
  'commit:inside',
  'commit:flushing',
  'commit:durable',
  'worker:committed',
  'worker:settled',
  'recorder:read',
  'recorder:intent',
  'recorder:inserting',
  'recorder:inserted',
  'recorder:position',
  'recorder:advanced',
] as const

/** Faults that come from outside the process. */
export const OUTSIDE = [
  'engine killed during inserts',
  'process killed while the engine restarts',
  'process killed at a random time',
] as const

export interface CampaignResult {
  readonly fired: ReadonlyMap<string, number>
  readonly kills: number
  readonly verdict: Verdict
}

export interface CampaignOptions {
  readonly seed: number
  /** Kills wanted at each point. */
  readonly perPoint: number
  readonly perOutside: number
  readonly points?: readonly string[]
  readonly broken?: boolean
  /** Runs the real detector on generated events, not the chain. */
  readonly company?: boolean
  readonly onProgress?: (text: string) => void
}

interface Run {
  readonly dir: string
  readonly engine: SupervisedEngine
  readonly options: CampaignOptions
  readonly fired: Map<string, number>
  readonly company: string | null
  next: number
  random: number
}

const BATCHES_PER_RUN = 6

const draw = (run: Run, below: number): number => {
  run.random = (Math.imul(run.random, 1_664_525) + 1_013_904_223) >>> 0
  return Math.floor((run.random / 2 ** 32) * below)
}

const planOf = (run: Run, part: Partial<ChildPlan>): ChildPlan => ({
  dir: join(run.dir, 'log'),
  seed: run.options.seed,
  from: run.next,
  to: run.next + BATCHES_PER_RUN,
  point: null,
  hit: 1,
  broken: run.options.broken ?? false,
  company: run.company,
  url: run.engine.url(),
  password: run.engine.passwords().recorder,
  ...part,
})

/** Requests up to here were answered; the rest is sent again by the next process. */
const noteAnswers = (run: Run, plan: ChildPlan, acked: readonly number[]): void => {
  const answered = new Set(acked)
  while (run.next < plan.to && answered.has(run.next)) run.next++
}

const count = (run: Run, name: string): void => void run.fired.set(name, (run.fired.get(name) ?? 0) + 1)

/** How often a short run passes a point at least; group commit makes the appends' points rare. */
const passes = (point: string): number => (/^append:(begin|flushing|durable)$/.test(point) ? 2 : 4)

const killAtPoint = async (run: Run, point: string): Promise<void> => {
  for (let hit = 1 + draw(run, passes(point)); hit >= 1; hit = hit > 1 ? 1 : 0) {
    const plan = planOf(run, { point, hit })
    const result = await runChild(plan)
    noteAnswers(run, plan, result.acked)
    if (result.fired === point) return count(run, point)
  }
}

/** The engine may be between two lives just now; then there is nothing to kill. */
const killEngine = (run: Run): boolean => {
  try {
    return process.kill(run.engine.pid(), 'SIGKILL')
  } catch {
    return false
  }
}

const killOutside = async (run: Run, kind: (typeof OUTSIDE)[number]): Promise<void> => {
  const plan = planOf(run, {})
  const after = 1 + draw(run, 3)
  const lateMs = draw(run, 60)
  let answers = 0
  let dead = false
  let timer: NodeJS.Timeout | undefined
  const result = await runChild(plan, (line, pid) => {
    if (!line.startsWith('ack ') || ++answers < after || dead) return
    dead = kind === 'process killed at a random time' || killEngine(run)
    if (kind !== 'engine killed during inserts') timer = setTimeout(() => process.kill(pid, 'SIGKILL'), lateMs)
  })
  clearTimeout(timer)
  noteAnswers(run, plan, result.acked)
  if (kind === 'engine killed during inserts' ? dead : result.fired === 'outside') count(run, kind)
}

/** Runs to the end without faults, so that everything has reached the store. */
const finish = async (run: Run): Promise<void> => {
  const result = await runChild(planOf(run, {}))
  if (!result.done) throw new Error(`The last run did not finish: ${result.lines.slice(-3).join(' | ')}`)
  run.next += BATCHES_PER_RUN
}

/** Doubled rows must stay visible: nothing may merge them away before they are counted. */
const keepEveryRow = async (engine: SupervisedEngine): Promise<void> => {
  const settings = {
    max_bytes_to_merge_at_max_space_in_pool: 1,
    max_bytes_to_merge_at_min_space_in_pool: 1,
    // Processes die here, not machines: waiting for the disk would only make the run long.
    fsync_after_insert: 0,
    fsync_part_directory: 0,
    parts_to_delay_insert: 1_000_000,
    parts_to_throw_insert: 1_000_000,
  }
  const list = Object.entries(settings).map(([name, value]) => `${name} = ${value}`)
  for (const table of ['scored_events', 'alerts', 'capsules', 'dead_letters']) {
    await engine.store('owner').command(`ALTER TABLE plumbline.${table} MODIFY SETTING ${list.join(', ')}`)
  }
}

/** Kills a deployment again and again on one data folder, lets it finish, and compares everything with the oracle. */
export const runCampaign = async (options: CampaignOptions): Promise<CampaignResult> => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-faults-'))
  const engine = await superviseEngine({ dir: join(dir, 'engine') })
  await keepEveryRow(engine)
  const company = options.company === true ? join(dir, 'company.ndjson') : null
  const points = options.points ?? POINTS
  const longest = (2 * options.perPoint * points.length + options.perOutside * OUTSIDE.length + 1) * BATCHES_PER_RUN
  if (company !== null) writeCompany(company, options.seed, longest)
  const run: Run = { dir, engine, options, fired: new Map(), company, next: 0, random: options.seed }
  try {
    for (let round = 0; round < options.perPoint; round++) {
      for (const point of points) await killAtPoint(run, point)
      options.onProgress?.(`round ${round + 1} of ${options.perPoint}`)
    }
    for (let round = 0; round < options.perOutside; round++) for (const kind of OUTSIDE) await killOutside(run, kind)
    await finish(run)
    const log = join(dir, 'log')
    const store = engine.store('owner')
    const verdict = company === null ? await judge(log, options.seed, run.next, store) : await judgeCompany(log, company, run.next, store)
    return { fired: run.fired, kills: [...run.fired.values()].reduce((sum, n) => sum + n, 0), verdict }
  } finally {
    await engine.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

export const differences = (verdict: Verdict): number =>
  verdict.lost +
  verdict.doubled +
  verdict.wrong +
  verdict.alertsWrong +
  verdict.lettersWrong +
  verdict.stateWrong +
  verdict.requestsLostOrDoubled
