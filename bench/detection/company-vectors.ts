// The vectors of a company's life as the detector recorded them, with what ties them to labels: what other detectors are run on.
import { readFileSync, writeFileSync } from 'node:fs'
import type { Label } from '@plumbline/generator'
import { FEATURE_COUNT } from '@plumbline/schemas'

const DAY_MS = 86_400_000

/** The columns kept here; the reader's type names fewer of them. */
export interface RowLike {
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
const META = ['judged', 'label', 'score', 'surprise', 'reconstruction', 'session_events', 'session', 'day', 'case'] as const

/**
 * Label of a row: 0 benign life or a twin, 1 key event of an attack, 2 surroundings of an attack (left out). Case: its place
 * among the run's cases, twins too; -1 outside all of them. Day: of the epoch, UTC. Session: the identity's, or its hour.
 */
export class VectorFile {
  readonly #judgeFromMs: number
  readonly #vectors: Float32Array[] = []
  readonly #meta: number[] = []
  readonly #cases: (string | null)[] = []
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
    this.#cases.push(label?.case ?? null)
    const kind = label === null || label.twin ? 0 : label.key ? 1 : 2
    this.#meta.push(
      row.event_time >= this.#judgeFromMs ? 1 : 0,
      kind,
      row.score,
      row.surprise,
      row.reconstruction,
      known.events,
      known.number,
      Math.floor(row.event_time / DAY_MS),
      -1,
    )
  }

  /** Which place a case has among the run's is known at the end. */
  write(path: string, cases: readonly string[]): void {
    const places = new Map(cases.map((name, i) => [name, i]))
    for (const [i, name] of this.#cases.entries()) {
      if (name !== null) this.#meta[i * META.length + META.indexOf('case')] = places.get(name)!
    }
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
