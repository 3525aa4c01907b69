import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { PlumblineError } from '@plumbline/schemas'

/** Rows of numbers, one after the other. */
export interface Table {
  readonly width: number
  readonly rows: Float32Array
}

/** Ceiling of a table file once unpacked, bytes. */
const MAX_TABLE_BYTES = 512 * 1024 * 1024
const unpack = promisify(gunzip)

const fail = (message: string, cause?: unknown): never => {
  throw new PlumblineError('TABLE_INVALID', message, { cause })
}

const readBytes = async (path: string): Promise<Buffer> => {
  const bytes = await readFile(path)
  if (bytes.length > MAX_TABLE_BYTES) return fail(`${path} is larger than ${MAX_TABLE_BYTES} bytes.`)
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes
  return unpack(bytes, { maxOutputLength: MAX_TABLE_BYTES }).catch((cause: unknown) => fail(`${path} cannot be unpacked.`, cause))
}

const parseNumber = (text: string): number => (text.trim() === '' ? NaN : Number(text))

/**
 * Reads a CSV of numbers, plain or gzip (seen from its bytes, not its name). A first line without any number is a header.
 * Throws `TABLE_INVALID` naming line and column for anything that is not a finite number or not as wide as the first row.
 */
export const readTable = async (path: string): Promise<Table> => {
  const lines = (await readBytes(path))
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
  while (lines.at(-1)?.trim() === '') lines.pop()
  const header = lines[0]?.split(',').every((cell) => Number.isNaN(parseNumber(cell))) ? 1 : 0
  if (lines.length <= header) return fail(`${path} holds no rows.`)
  const width = lines[header]!.split(',').length
  const rows = new Float32Array((lines.length - header) * width)
  let at = 0
  for (let i = header; i < lines.length; i++) {
    const cells = lines[i]!.split(',')
    if (cells.length !== width) fail(`${path}, line ${i + 1}: ${cells.length} columns, the first row has ${width}.`)
    for (let c = 0; c < width; c++) {
      const value = Math.fround(parseNumber(cells[c]!))
      if (!Number.isFinite(value)) fail(`${path}, line ${i + 1}, column ${c + 1}: not a finite number.`)
      rows[at++] = value
    }
  }
  return { width, rows }
}

/** The table cut to `width` columns. One extra column at the end (a label) is ignored; any other width throws `TABLE_WIDTH`. */
export const alignTable = (table: Table, width: number): Table => {
  if (table.width === width) return table
  if (table.width !== width + 1) {
    throw new PlumblineError(
      'TABLE_WIDTH',
      `The test rows have ${table.width} columns, the training rows ${width}. They must have as many, or one more.`,
    )
  }
  const count = table.rows.length / table.width
  const rows = new Float32Array(count * width)
  for (let r = 0; r < count; r++) rows.set(table.rows.subarray(r * table.width, r * table.width + width), r * width)
  return { width, rows }
}
