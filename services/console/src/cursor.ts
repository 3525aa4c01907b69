import { PlumblineError } from '@plumbline/schemas'
import type { AlertKey } from './ports.ts'

/** Opaque to callers; carries the place in the list, so that paging stays right while new alerts arrive. */
export const encodeCursor = (key: AlertKey): string => Buffer.from(`${key.firstSeen}|${key.id}`, 'utf8').toString('base64url')

/** @throws PlumblineError CURSOR_INVALID when the text is not one of ours. */
export function decodeCursor(text: string): AlertKey {
  const plain = Buffer.from(text, 'base64url').toString('utf8')
  const match = /^(-?\d{1,16})\|([\w.:-]{1,128})$/.exec(plain)
  if (match === null) throw new PlumblineError('CURSOR_INVALID', 'The cursor is not one this service gave out.')
  return { firstSeen: Number(match[1]), id: match[2] as string }
}

/** List order: newest first, then by id descending. Negative when `a` comes before `b`. */
export function compareKeys(a: AlertKey, b: AlertKey): number {
  if (a.firstSeen !== b.firstSeen) return b.firstSeen - a.firstSeen
  return a.id < b.id ? 1 : a.id > b.id ? -1 : 0
}
