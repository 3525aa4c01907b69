import { EVENT_LIMITS, PlumblineError } from '@plumbline/schemas'
import { z } from 'zod'
import type { AlertKey, AlertSort, ChangeKey } from './ports.ts'

/** Scores are stored with single precision: compared as anything else they would stand in two places. */
const scoreOf = (key: AlertKey): number => Math.fround(key.score)

/** Opaque to callers; carries the place in the list, so that paging stays right while new alerts arrive. */
export const encodeCursor = (key: AlertKey, sort: AlertSort): string =>
  Buffer.from(`${key.firstSeen}|${key.id}${sort === 'score' ? `|${scoreOf(key)}` : ''}`, 'utf8').toString('base64url')

/** @throws PlumblineError CURSOR_INVALID when the text is not one of ours, or of another order. */
export function decodeCursor(text: string, sort: AlertSort): AlertKey {
  const plain = Buffer.from(text, 'base64url').toString('utf8')
  const [, firstSeen, id, score] = /^(-?\d{1,16})\|([\w.:-]{1,128})(?:\|(\d[\d.e-]{0,24}))?$/.exec(plain) ?? []
  if (firstSeen === undefined || id === undefined || (score !== undefined) !== (sort === 'score') || !Number.isFinite(Number(score ?? 0)))
    throw new PlumblineError('CURSOR_INVALID', 'The cursor is not one this service gave out for this order.')
  return { firstSeen: Number(firstSeen), id, score: Number(score ?? 0) }
}

/** List order: newest first or worst first, then by id descending. Negative when `a` comes before `b`. */
export function compareKeys(a: AlertKey, b: AlertKey, sort: AlertSort = 'time'): number {
  if (sort === 'score' && scoreOf(a) !== scoreOf(b)) return scoreOf(b) - scoreOf(a)
  if (a.firstSeen !== b.firstSeen) return b.firstSeen - a.firstSeen
  return a.id < b.id ? 1 : a.id > b.id ? -1 : 0
}

const ChangePlace = z.tuple([z.number().int(), z.string().max(EVENT_LIMITS.nameChars), z.string().max(EVENT_LIMITS.idChars)])

export const encodeChangeCursor = ({ announcedAt, tenant, id }: ChangeKey): string =>
  Buffer.from(JSON.stringify([announcedAt, tenant, id] satisfies z.infer<typeof ChangePlace>), 'utf8').toString('base64url')

/** @throws PlumblineError CURSOR_INVALID when the text is not one of ours. */
export function decodeChangeCursor(text: string): ChangeKey {
  try {
    const [announcedAt, tenant, id] = ChangePlace.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')))
    return { announcedAt, tenant, id }
  } catch (cause) {
    throw new PlumblineError('CURSOR_INVALID', 'The cursor is not one this service gave out for this list.', { cause })
  }
}
