import { createHash } from 'node:crypto'
import { PlumblineError, RELEASE_MAGIC, ReleaseHeader } from '@plumbline/schemas'
import { checkParameters, type AutoencoderParameters } from '../5-autoencoder/layout.ts'

/** A release read from its bytes: header checked, every section in bounds and finite. */
export interface Release {
  readonly header: ReleaseHeader
  /** SHA-256 of the artifact, 64 hex digits. */
  readonly sha256: string
  /** A copy of the section's values. Throws `RELEASE_SECTION_MISSING` when the release has none of this name. */
  section(name: string): Float32Array
  has(name: string): boolean
}

/** Ceiling of a whole artifact, bytes. Far above any real one (a 64-wide net is 25 KB). */
export const MAX_RELEASE_BYTES = 64 * 1024 * 1024
const MAX_HEADER_BYTES = 1024 * 1024
/** Ten per peer group, for eighty of them and everyone, and those of the net. */
const MAX_SECTIONS = 1024
const PREFIX_BYTES = 12

export const sha256Hex = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

const refuse = (code: string, message: string, cause?: unknown): never => {
  throw new PlumblineError(code, message, { cause })
}
const align16 = (n: number): number => (n + 15) & ~15

/** Parses the header and puts free-form maps in key order, so that equal headers give equal bytes. */
const normalHeader = (value: unknown): ReleaseHeader => {
  const parsed = ReleaseHeader.safeParse(value)
  if (!parsed.success)
    return refuse('RELEASE_HEADER', `The release header is not valid: ${parsed.error.issues[0]?.path.join('.') ?? ''}.`, parsed.error)
  const ordered = <T>(map: Record<string, T>) => Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)))
  const header = parsed.data
  const createdFrom = { ...header.createdFrom, positions: ordered(header.createdFrom.positions) }
  return { ...header, createdFrom, metrics: ordered(header.metrics) }
}

/**
 * Builds an artifact: `PLUMREL1`, header length, header JSON, zeros to 16 bytes, then the sections as little-endian float32.
 * The header's own section table is written from `sections`. Same input, same bytes.
 * Throws `RELEASE_HEADER`, `RELEASE_NOT_FINITE` or `RELEASE_TOO_LARGE`.
 */
export const packRelease = (header: Omit<ReleaseHeader, 'sections'>, sections: Readonly<Record<string, Float32Array>>): Uint8Array => {
  const table: ReleaseHeader['sections'] = []
  let floats = 0
  for (const [name, values] of Object.entries(sections)) {
    if (!values.every(Number.isFinite)) refuse('RELEASE_NOT_FINITE', `Section ${name} holds a value that is not finite.`)
    table.push({ name, offset: floats, length: values.length })
    floats += values.length
  }
  const json = Buffer.from(JSON.stringify(normalHeader({ ...header, sections: table })), 'utf8')
  const dataAt = align16(PREFIX_BYTES + json.length)
  const size = dataAt + floats * 4
  if (size > MAX_RELEASE_BYTES || json.length > MAX_HEADER_BYTES || table.length > MAX_SECTIONS)
    refuse('RELEASE_TOO_LARGE', `The release has ${size} bytes.`)
  const bytes = new Uint8Array(size)
  bytes.set(Buffer.from(RELEASE_MAGIC, 'latin1'))
  const view = new DataView(bytes.buffer)
  view.setUint32(8, json.length, true)
  bytes.set(json, PREFIX_BYTES)
  let at = dataAt
  for (const values of Object.values(sections)) {
    for (const value of values) {
      view.setFloat32(at, value, true)
      at += 4
    }
  }
  unpackRelease(bytes)
  return bytes
}

const readHeader = (bytes: Uint8Array): { header: ReleaseHeader; dataAt: number } => {
  if (bytes.length > MAX_RELEASE_BYTES) refuse('RELEASE_TOO_LARGE', `A release has at most ${MAX_RELEASE_BYTES} bytes.`)
  if (bytes.length < PREFIX_BYTES || Buffer.from(bytes.subarray(0, 8)).toString('latin1') !== RELEASE_MAGIC) {
    refuse('RELEASE_MAGIC', 'These bytes are not a release.')
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(8, true)
  if (length > MAX_HEADER_BYTES) refuse('RELEASE_TOO_LARGE', 'The release header is too long.')
  const dataAt = align16(PREFIX_BYTES + length)
  if (dataAt > bytes.length) refuse('RELEASE_BOUNDS', 'The release ends inside its header.')
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(PREFIX_BYTES, PREFIX_BYTES + length)))
  } catch (cause) {
    refuse('RELEASE_HEADER', 'The release header is not JSON.', cause)
  }
  if (bytes.subarray(PREFIX_BYTES + length, dataAt).some((b) => b !== 0))
    refuse('RELEASE_HEADER', 'The padding behind the header is not zero.')
  return { header: normalHeader(value), dataAt }
}

/** The sections follow each other without gap or overlap and fill the file exactly. */
const checkTable = (header: ReleaseHeader, floats: number): void => {
  if (header.sections.length > MAX_SECTIONS) refuse('RELEASE_TOO_LARGE', `A release has at most ${MAX_SECTIONS} sections.`)
  const names = new Set<string>()
  let next = 0
  for (const { name, offset, length } of header.sections) {
    if (names.has(name)) refuse('RELEASE_HEADER', `Section ${name} is listed twice.`)
    names.add(name)
    if (offset !== next || next + length > floats) refuse('RELEASE_BOUNDS', `Section ${name} lies outside the file or overlaps another.`)
    next += length
  }
  if (next !== floats) refuse('RELEASE_BOUNDS', 'The file holds more than its sections.')
}

/**
 * Reads an artifact and checks all of it. It says nothing about who made it: see `openRelease`.
 * Throws `RELEASE_MAGIC`, `RELEASE_HEADER`, `RELEASE_BOUNDS`, `RELEASE_NOT_FINITE` or `RELEASE_TOO_LARGE`.
 */
export const unpackRelease = (bytes: Uint8Array): Release => {
  const { header, dataAt } = readHeader(bytes)
  if ((bytes.length - dataAt) % 4 !== 0) refuse('RELEASE_BOUNDS', 'The data is not a whole number of float32 values.')
  const floats = (bytes.length - dataAt) / 4
  checkTable(header, floats)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const data = new Float32Array(floats)
  for (let i = 0; i < floats; i++) data[i] = view.getFloat32(dataAt + i * 4, true)
  if (!data.every(Number.isFinite)) refuse('RELEASE_NOT_FINITE', 'The release holds a value that is not finite.')
  const table = new Map(header.sections.map((s) => [s.name, s]))
  return {
    header,
    sha256: sha256Hex(bytes),
    has: (name) => table.has(name),
    section: (name) => {
      const s = table.get(name)
      if (s === undefined) return refuse('RELEASE_SECTION_MISSING', `The release has no section ${name}.`)
      return data.slice(s.offset, s.offset + s.length)
    },
  }
}

/** Names of the sections that the autoencoder and its calibration live in. */
export const AUTOENCODER_SECTIONS = ['weights', 'mean', 'invStd', 'residualScale'] as const

/** The net of a release, or null when the release carries none yet (`layers` empty). Throws `AUTOENCODER_INVALID`. */
export const releaseAutoencoder = (release: Release): AutoencoderParameters | null => {
  const { layers } = release.header
  if (layers.length === 0) return null
  const [weights, mean, invStd, residualScale] = AUTOENCODER_SECTIONS.map((name) => release.section(name)) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ]
  const parameters = { layers, weights, mean, invStd, residualScale }
  checkParameters(parameters)
  return parameters
}
