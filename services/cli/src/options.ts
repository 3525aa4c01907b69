import type { FileFormat } from '@plumbline/adapters/files'
import { InvalidArgumentError } from 'commander'

/** Formats of files of events, by name only, so that help does not load the readers. A missing or an extra one does not compile. */
const FORMATS: Readonly<Record<FileFormat, true>> = { native: true, neutral: true, cloudtrail: true }
export const FILE_FORMATS = Object.keys(FORMATS) as FileFormat[]

/** Parsers for commander: a value that does not fit is a usage error that names the option. */
export const integer =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text)
    if (!Number.isInteger(value) || value < min || value > max)
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`)
    return value
  }

export const number =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text)
    if (text.trim() === '' || !Number.isFinite(value) || value < min || value > max)
      throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`)
    return value
  }

/** One number, or two with `..` between them: a range to draw from. */
export const numberOrRange =
  (min: number, max: number) =>
  (text: string): number | readonly [number, number] => {
    const [from, to] = text.split('..').map(number(min, max))
    if (from === undefined || to === undefined) return number(min, max)(text)
    if (text.split('..').length !== 2 || from >= to) throw new InvalidArgumentError('A range is two rising numbers, like 1.2..1000.')
    return [from, to]
  }

/** RFC 3339 or a plain date, as epoch milliseconds. */
export const time = (text: string): number => {
  const value = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(value)) throw new InvalidArgumentError('It must be a date or a time, like 2026-10-05 or 2026-10-05T08:00:00Z.')
  return value
}

export const oneOf =
  <T extends string>(choices: readonly T[]) =>
  (text: string): T => {
    const found = choices.find((choice) => choice === text)
    if (found === undefined) throw new InvalidArgumentError(`It must be one of ${choices.join(', ')}.`)
    return found
  }
