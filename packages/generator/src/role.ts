import type { IdentityKind } from '@plumbline/schemas'
import { type Tool, tool } from './tools.ts'

export interface Step {
  readonly tool: Tool
  readonly chance: number
  readonly min: number
  readonly max: number
}

/** A script that sessions follow. */
export interface Task {
  readonly name: string
  readonly weight: number
  readonly steps: readonly Step[]
  /** Mean number of events of one run. */
  readonly length: number
}

/** Work at fixed hours instead of, or beside, demand. */
export interface Cron {
  readonly task: Task
  /** Local hours it runs at. */
  readonly hours: readonly number[]
  /** `monthEnd`: last two days of a month and the first. `habit`: only identities with the trait, every third night. */
  readonly when: 'daily' | 'monthEnd' | 'habit'
  /** Runs of the task, before scaling to the asked-for rate. */
  readonly runs: number
}

export type Rhythm = 'office' | 'early' | 'demand' | 'assistant' | 'flat' | 'none'

export interface Role {
  readonly index: number
  readonly name: string
  readonly kind: IdentityKind
  /** Share among identities, relative. */
  readonly share: number
  readonly segment: string
  readonly rhythm: Rhythm
  /** Events on an ordinary day, relative to the other roles; scaled to the asked-for mean. */
  readonly rate: number
  readonly tasks: readonly Task[]
  readonly crons: readonly Cron[]
  /** Tools used now and then outside any script. */
  readonly rare: readonly Tool[]
  /** Exactly constant: one event each period, nothing ever varies. */
  readonly constant: boolean
  /** Comes in bursts: some hours carry so many times the rest. */
  readonly burst: number
  /** Median gap between events of a session, ms. */
  readonly gapMs: number
  readonly model: string | null
  /** Role of the people an agent acts for. */
  readonly actsFor: string | null
  /** Joins mid-way, goes on leave, travels. */
  readonly person: boolean
}

/** `tool?.7*1-3`: used with chance .7, one to three times. */
const parseStep = (text: string): Step => {
  const m = /^([a-z0-9_.]+?)(?:\?(\.\d+))?(?:\*(\d+)-(\d+))?$/.exec(text)
  if (m === null) throw new RangeError(`not a step: ${text}`)
  return { tool: tool(m[1]!), chance: m[2] === undefined ? 1 : Number(m[2]), min: Number(m[3] ?? 1), max: Number(m[4] ?? 1) }
}

export const task = (name: string, weight: number, steps: string): Task => {
  const parsed = steps.split(' ').map(parseStep)
  return { name, weight, steps: parsed, length: parsed.reduce((n, s) => n + (s.chance * (s.min + s.max)) / 2, 0) }
}

const DAYTIME = [
  0.02, 0.01, 0.01, 0.01, 0.01, 0.03, 0.12, 0.4, 0.85, 1.15, 1.25, 1.2, 0.7, 0.95, 1.2, 1.15, 1.0, 0.7, 0.3, 0.14, 0.1, 0.08, 0.06, 0.03,
]
const OFFICE = [0, 0, 0, 0, 0, 0, 0.03, 0.25, 0.9, 1.3, 1.35, 1.15, 0.5, 0.95, 1.3, 1.2, 1.0, 0.55, 0.14, 0.05, 0.03, 0.02, 0.01, 0]
const DEMAND = [
  0.35, 0.28, 0.24, 0.22, 0.24, 0.32, 0.5, 0.8, 1.2, 1.5, 1.6, 1.5, 1.35, 1.4, 1.5, 1.5, 1.4, 1.3, 1.3, 1.25, 1.15, 0.95, 0.7, 0.45,
]

/** Weight of each hour of the week (Monday 00:00 first), mean 1. */
export const RHYTHMS: Readonly<Record<Rhythm, Float64Array>> = (() => {
  const week = (hours: readonly number[], weekend: number): Float64Array => {
    const w = Float64Array.from({ length: 168 }, (_, i) => hours[i % 24]! * (i >= 120 ? weekend : 1))
    const mean = w.reduce((a, b) => a + b, 0) / 168
    return w.map((x) => x / mean)
  }
  const flat = new Float64Array(168).fill(1)
  return {
    office: week(OFFICE, 0.03),
    early: week([...OFFICE.slice(2), 0, 0], 0.25),
    demand: week(DEMAND, 0.75),
    assistant: week(DAYTIME, 0.12),
    flat,
    none: new Float64Array(168),
  }
})()
