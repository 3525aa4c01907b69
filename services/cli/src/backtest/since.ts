import { usageError } from '../exit.ts'

const UNIT_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 }

/** A time, or a span back from now, as ms since epoch. Error: USAGE. */
export const sinceTimeOf = (text: string, nowMs: number): number => {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)([mhdw])$/.exec(text) ?? []
  if (amount !== undefined && unit !== undefined) return Math.max(0, Math.round(nowMs - Number(amount) * UNIT_MS[unit]!))
  // Without a zone a time would mean another one on each machine.
  const time = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2}))?$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time))
    throw usageError(`--since is a time like 2026-11-01T00:00Z, a day like 2026-11-01 (UTC), or a span like 36h or 30d, not ${text}`)
  return time
}
