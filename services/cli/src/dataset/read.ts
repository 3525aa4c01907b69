import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { FEATURE_COUNT, FEATURES, PlumblineError, SCORED_FLAGS } from '@plumbline/schemas'
import type { Dataset, Finding } from '@plumbline/training'
import { type Cell, csvCells, jsonRow, numberIn, type Row, separatorOf } from './cells.ts'

export interface Columns {
  /** Whose a row is, when it was, whether it alerted. Default: found by their usual names. */
  readonly identity?: string | undefined
  readonly time?: string | undefined
  readonly alerted?: string | undefined
  readonly ignore: readonly string[]
}

export interface TableRead {
  readonly data: Dataset
  /** What reading it found. */
  readonly findings: readonly Finding[]
  /** Names of the identities by number. */
  readonly identities: readonly string[]
  /** Columns of text and of numbers that say no measure. */
  readonly ignored: readonly string[]
}

/** Ceiling of a file once unpacked, bytes. */
const MAX_BYTES = 512 * 1024 * 1024
const unpack = promisify(gunzip)
const USUAL = {
  identity: ['identity', 'identity.id', 'identity_id', 'user', 'agent', 'account'],
  time: ['event_time', 'time', 'timestamp', 'ts', '@timestamp'],
  alerted: ['flags', 'alerted', 'withheld'],
} as const

const invalid = (message: string, cause?: unknown): PlumblineError => new PlumblineError('TABLE_INVALID', message, { cause })

const textOf = async (path: string): Promise<string> => {
  const bytes = path === '-' ? await buffer(process.stdin) : await readFile(path)
  if (bytes.length > MAX_BYTES) throw invalid(`${path} is larger than ${MAX_BYTES} bytes; give a part of it`)
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes.toString('utf8')
  const plain = await unpack(bytes, { maxOutputLength: MAX_BYTES }).catch((cause: unknown) => {
    throw invalid(`${path} cannot be unpacked`, cause)
  })
  return plain.toString('utf8')
}

function* rowsOf(path: string, text: string): Generator<Row, void, undefined> {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/)
  const first = lines.find((line) => line.trim() !== '') ?? ''
  const json = /^\s*[[{]/.test(first)
  const separator = separatorOf(first)
  const header = !json && csvCells(first, separator).every((cell) => Number.isNaN(numberIn(cell))) ? csvCells(first, separator) : undefined
  let [width, passed] = [header?.length ?? 0, header === undefined]
  for (const [i, line] of lines.entries()) {
    if (line.trim() === '') continue
    if (!passed) {
      passed = true
      continue
    }
    const cells = json ? [] : csvCells(line, separator)
    if (width === 0) width = cells.length
    if (!json && cells.length !== width) throw invalid(`${path}, line ${i + 1}: ${cells.length} columns, the first row has ${width}`)
    const row = json ? jsonRow(line) : new Map(cells.map((cell, c): [string, Cell] => [header?.[c]?.trim() ?? `column ${c + 1}`, cell]))
    if (row === undefined) throw invalid(`${path}, line ${i + 1}: neither a JSON object nor an array`)
    yield row
  }
}

const NUMERIC = 0.5

/** Columns whose cells are mostly numbers, in the order they appear. */
const measuresOf = (rows: readonly Row[], left: ReadonlySet<string>): { readonly names: string[]; readonly ignored: string[] } => {
  const seen = new Map<string, { cells: number; numbers: number }>()
  for (const row of rows)
    for (const [name, cell] of row) {
      const counts = seen.get(name) ?? { cells: 0, numbers: 0 }
      seen.set(name, counts)
      if (cell === null || cell === '') continue
      counts.cells++
      if (!Number.isNaN(numberIn(cell)) || /^[-+]?(nan|inf(inity)?)$/i.test(String(cell).trim())) counts.numbers++
    }
  const all = [...seen.keys()]
  // A row as the store has it: the vector is what is learned from, the rest says what came of it.
  const features = FEATURES.map(({ name }) => name)
  if (features.every((name) => seen.has(name))) return { names: features, ignored: all.filter((name) => !features.includes(name)) }
  const names = all.filter((name) => !left.has(name) && seen.get(name)!.numbers > NUMERIC * seen.get(name)!.cells)
  return { names, ignored: all.filter((name) => !names.includes(name)) }
}

const timeOf = (cell: Cell | undefined): number => {
  if (cell === undefined || cell === null) return NaN
  const value = numberIn(cell)
  // Seconds are below any time of this age in milliseconds. The store's own times have a space and no zone: UTC.
  if (!Number.isNaN(value)) return value < 1e11 ? value * 1000 : value
  const text = String(cell).trim()
  return Date.parse(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?$/.test(text) ? `${text.replace(' ', 'T')}Z` : text)
}

const WITHHELD = SCORED_FLAGS.alerted | SCORED_FLAGS.withheld

const saysWithheld = (column: string, cell: Cell | undefined): number => {
  const value = numberIn(cell ?? null)
  return column === 'flags' ? ((value & WITHHELD) === 0 ? 0 : 1) : value > 0 || /^(true|yes)$/i.test(String(cell ?? '')) ? 1 : 0
}

const pick = (role: keyof typeof USUAL, asked: string | undefined, rows: readonly Row[]): string | undefined => {
  const has = (name: string): boolean => rows.some((row) => row.has(name))
  if (asked !== undefined && !has(asked)) throw invalid(`no row has a column ${asked}; give another with --${role}`)
  return asked ?? USUAL[role].find((name) => rows[0]!.has(name))
}

/** Absent cells are taken as 0 and told of; what is there and no number stays NaN. */
const numbersOf = (rows: readonly Row[], names: readonly string[]): { readonly values: Float32Array; readonly findings: Finding[] } => {
  const values = new Float32Array(rows.length * names.length)
  const absent = new Map<string, number>()
  rows.forEach((row, r) =>
    names.forEach((name, c) => {
      const cell = row.get(name) ?? null
      const none = cell === null || (typeof cell === 'string' && cell.trim() === '')
      if (none) absent.set(name, (absent.get(name) ?? 0) + 1)
      values[r * names.length + c] = none ? 0 : numberIn(cell)
    }),
  )
  const cells = [...absent.values()].reduce((sum, n) => sum + n, 0)
  if (cells === 0) return { values, findings: [] }
  const columns = [...absent.keys()]
  const words = `${cells} values are not there, in ${columns.slice(0, 5).join(', ')}${columns.length > 5 ? ' and others' : ''}; they are taken as 0.`
  return { values, findings: [{ check: 'numbers', severity: 'warning', words, columns, numbers: { absent: cells } }] }
}

/** Reads a table of any kind: CSV, TSV or NDJSON, plain or gzip. Throws TABLE_INVALID with the line. */
export const readDataset = async (path: string, columns: Columns): Promise<TableRead> => {
  const rows = [...rowsOf(path, await textOf(path))]
  if (rows.length === 0) throw invalid(`${path} holds no rows`)
  const [identity, time, alerted] = (['identity', 'time', 'alerted'] as const).map((role) => pick(role, columns[role], rows))
  const { names, ignored } = measuresOf(rows, new Set([identity, time, alerted, ...columns.ignore].filter((name) => name !== undefined)))
  if (names.length === 0) throw invalid(`${path} has no column of numbers`)
  const { values, findings } = numbersOf(rows, names)
  const numbers = new Map<string, number>()
  const numberOf = (name: string): number => {
    if (!numbers.has(name)) numbers.set(name, numbers.size)
    return numbers.get(name)!
  }
  const data: Dataset = {
    names,
    rows: values,
    identities: identity === undefined ? undefined : Uint32Array.from(rows, (row) => numberOf(String(row.get(identity) ?? ''))),
    times: time === undefined ? undefined : Float64Array.from(rows, (row) => timeOf(row.get(time))),
    withheld: alerted === undefined ? undefined : Uint8Array.from(rows, (row) => saysWithheld(alerted, row.get(alerted))),
  }
  return { data, findings, identities: [...numbers.keys()], ignored }
}

/** Whether a table is of feature vectors, as releases are learned from. */
export const isFeatureTable = ({ names }: Dataset): boolean => names.length === FEATURE_COUNT && names[0] === FEATURES[0]!.name
