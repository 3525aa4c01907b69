import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { load, type Shape, shape } from './machine.ts'
import { RESULTS } from './paths.ts'

/** One bar of the project and what was measured against it. */
export interface Bar {
  readonly what: string
  readonly measured: number | null
  readonly bar: number
  readonly atLeast: boolean
  readonly unit: string
  /** Digits shown. Default 2. */
  readonly digits?: number
  /** Wished for, not required. */
  readonly stretch?: boolean
  /** Why there is no figure. */
  readonly skipped?: string
}

export interface Table {
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | number | null)[])[]
  readonly notes?: readonly string[]
}

/** What a bench hands back. `values` is what `--json` prints. */
export interface Measured {
  readonly title: string
  /** What measures it, where that is no bench of its name. */
  readonly command?: string
  readonly how: readonly string[]
  readonly values: Readonly<Record<string, unknown>>
  readonly bars: readonly Bar[]
  readonly tables: readonly Table[]
  /** Parts that no run has measured yet. */
  readonly open?: readonly string[]
}

export interface Stored extends Measured {
  readonly name: string
  readonly date: string
  readonly seconds: number
  readonly machine: Shape
}

export const isHit = (bar: Bar): boolean => bar.measured !== null && (bar.atLeast ? bar.measured >= bar.bar : bar.measured <= bar.bar)

/** Runs one bench and stores what it found under bench/results. */
export const measureAndStore = async (name: string, bench: () => Promise<Measured>): Promise<Stored> => {
  const before = load()
  const started = performance.now()
  const measured = await bench()
  const seconds = Math.round((performance.now() - started) / 1000)
  const stored: Stored = {
    name,
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    seconds,
    machine: shape(before),
    ...measured,
  }
  mkdirSync(RESULTS, { recursive: true })
  writeFileSync(join(RESULTS, `${name}.json`), `${JSON.stringify(stored, plain, 1)}\n`)
  return stored
}

/** Six digits say all; NaN and infinities are null. */
export const plain = (_key: string, value: unknown): unknown => {
  if (typeof value !== 'number') return value
  return Number.isFinite(value) ? Number(value.toPrecision(Math.abs(value) >= 1e6 ? 12 : 6)) : null
}

export const readStored = (): Stored[] => {
  try {
    return readdirSync(RESULTS)
      .filter((f) => f.endsWith('.json'))
      .map((f) => JSON.parse(readFileSync(join(RESULTS, f), 'utf8')) as Stored)
  } catch {
    return []
  }
}
