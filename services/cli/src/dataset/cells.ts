import { FEATURE_COUNT, FEATURES } from '@plumbline/schemas'

export type Cell = string | number | null

/** A row as its fields; what has no name is named by its place. */
export type Row = ReadonlyMap<string, Cell>

const scalar = (value: unknown): Cell | undefined => {
  if (value === null || value === undefined) return null
  if (typeof value === 'number' || typeof value === 'string') return value
  return typeof value === 'boolean' ? Number(value) : undefined
}

/** An object's fields, those of inner ones as `outer.inner`. A full feature vector is told by the names of its features. */
const flatten = (object: object, prefix: string, into: Map<string, Cell>): Map<string, Cell> => {
  for (const [key, value] of Object.entries(object)) {
    const name = prefix + key
    const plain = scalar(value)
    if (plain !== undefined) into.set(name, plain)
    else if (Array.isArray(value) && key === 'features' && value.length === FEATURE_COUNT)
      FEATURES.forEach((feature, i) => into.set(feature.name, scalar(value[i]) ?? null))
    else if (Array.isArray(value)) into.set(name, JSON.stringify(value))
    else flatten(value as object, `${name}.`, into)
  }
  return into
}

/** A line of NDJSON: an object, or an array of values. Undefined where it is neither. */
export const jsonRow = (line: string): Row | undefined => {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return undefined
  }
  if (Array.isArray(value)) return new Map(value.map((cell, i) => [`column ${i + 1}`, scalar(cell) ?? null]))
  return typeof value === 'object' && value !== null ? flatten(value, '', new Map()) : undefined
}

/** Cells of a line of CSV; a quoted one may hold the separator and doubled quotes, not a line break. */
export const csvCells = (line: string, separator: string): string[] => {
  if (!line.includes('"')) return line.split(separator)
  const cells: string[] = []
  let [cell, quoted] = ['', false]
  for (let i = 0; i < line.length; i++) {
    const c = line[i]!
    if (c === '"' && quoted && line[i + 1] === '"') {
      cell += '"'
      i++
    } else if (c === '"') quoted = !quoted
    else if (c === separator && !quoted) {
      cells.push(cell)
      cell = ''
    } else cell += c
  }
  return [...cells, cell]
}

/** The separator that a first line has most of. */
export const separatorOf = (line: string): string =>
  [',', '\t', ';'].reduce((best, s) => (csvCells(line, s).length > csvCells(line, best).length ? s : best))

/** A number that a cell says; NaN where it says none. */
export const numberIn = (cell: Cell): number => (typeof cell === 'number' ? cell : cell === null || cell.trim() === '' ? NaN : Number(cell))
