import type { RejectCode } from '@plumbline/schemas'
import { line, NOW } from './door.testkit.ts'

/** One hostile event and the reason it is refused for. */
export interface Hostile {
  readonly title: string
  readonly body: string | Uint8Array
  readonly code: RejectCode
  readonly field?: string
}

const deep = (levels: number): string => '{"a":'.repeat(levels) + '1' + '}'.repeat(levels)
const withRaw = (key: string, raw: string): string => `${line('hostile').slice(0, -1)},${JSON.stringify(key)}:${raw}}`
const withByte = (byte: number): Uint8Array => {
  const b = Buffer.from(line('hostile', { action: 'A' }))
  b[b.indexOf('"A"') + 1] = byte
  return b
}

export const HOSTILE: readonly Hostile[] = [
  { title: 'B1 an object nested 9 deep', body: deep(9), code: 'JSON_TOO_DEEP' },
  { title: 'B1 ten thousand open brackets', body: '['.repeat(10_000), code: 'JSON_TOO_DEEP' },
  { title: 'B1 nesting inside an attribute', body: withRaw('attributes', deep(20)), code: 'JSON_TOO_DEEP' },
  {
    title: 'B2 three hundred keys',
    body: JSON.stringify(Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`k${i}`, 1]))),
    code: 'JSON_TOO_WIDE',
  },
  { title: 'B2 a string of 100 kB', body: line('hostile', { action: 'x'.repeat(100_000) }), code: 'EVENT_TOO_LARGE' },
  { title: 'B2 a string beyond its field', body: line('hostile', { action: 'x'.repeat(129) }), code: 'FIELD_INVALID', field: 'action' },
  {
    title: 'B2 too many attributes',
    body: line('hostile', { attributes: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`k${i}`, i])) }),
    code: 'FIELD_INVALID',
    field: 'attributes',
  },
  { title: 'B4 __proto__', body: withRaw('__proto__', '{"polluted":true}'), code: 'JSON_FORBIDDEN_KEY', field: '__proto__' },
  {
    title: 'B4 __proto__ spelled with an escape',
    body: `${line('hostile').slice(0, -1)},"\\u005f\\u005fproto__":1}`,
    code: 'JSON_FORBIDDEN_KEY',
    field: '__proto__',
  },
  {
    title: 'B4 constructor in attributes',
    body: withRaw('attributes', '{"constructor":"x"}'),
    code: 'JSON_FORBIDDEN_KEY',
    field: 'attributes.constructor',
  },
  { title: 'B5 a byte that is not UTF-8', body: withByte(0xff), code: 'UTF8_INVALID' },
  { title: 'B5 a lone surrogate', body: withRaw('session', '"\\ud800"'), code: 'FIELD_INVALID', field: 'session' },
  { title: 'B5 NUL', body: line('hostile', { action: 'a\u0000b' }), code: 'FIELD_INVALID', field: 'action' },
  {
    title: 'B5 a bidirectional override',
    body: line('hostile', { destination: 'moc.\u202eevil' }),
    code: 'FIELD_INVALID',
    field: 'destination',
  },
  {
    title: 'B5 a line break in an identity',
    body: line('hostile', { identity: { id: 'a\nb', kind: 'agent' } }),
    code: 'FIELD_INVALID',
    field: 'identity.id',
  },
  { title: 'B6 1e999', body: withRaw('bytesOut', '1e999'), code: 'NUMBER_NOT_FINITE', field: 'bytesOut' },
  { title: 'B6 2^53 + 1', body: withRaw('bytesOut', '9007199254740993'), code: 'NUMBER_NOT_FINITE', field: 'bytesOut' },
  { title: 'B6 NaN', body: withRaw('bytesOut', 'NaN'), code: 'JSON_SYNTAX' },
  { title: 'B6 a negative size', body: withRaw('bytesOut', '-5'), code: 'FIELD_INVALID', field: 'bytesOut' },
  { title: 'B7 six minutes ahead', body: line('hostile', { time: NOW + 6 * 60_000 }), code: 'TIME_FUTURE', field: 'time' },
  { title: 'B7 fifty years ahead', body: line('hostile', { time: NOW + 50 * 365 * 86_400_000 }), code: 'TIME_FUTURE', field: 'time' },
  { title: 'B7 the year 1970', body: line('hostile', { time: 0 }), code: 'TIME_INVALID', field: 'time' },
  { title: 'B7 no zone', body: line('hostile', { time: '2026-02-01T12:00:00' }), code: 'TIME_INVALID', field: 'time' },
  {
    title: 'a prototype key inside an unknown field',
    body: withRaw('extra', '{"a":{"__proto__":1}}'),
    code: 'JSON_FORBIDDEN_KEY',
    field: 'extra.a.__proto__',
  },
  { title: 'an unknown field nested too deeply', body: withRaw('extra', deep(8)), code: 'JSON_TOO_DEEP' },
  { title: 'an unknown version', body: line('hostile', { v: 9 }), code: 'VERSION_UNSUPPORTED', field: 'v' },
  { title: 'a key twice', body: line('hostile').replace('{', '{"id":"other",'), code: 'JSON_DUPLICATE_KEY' },
  { title: 'no object', body: '"text"', code: 'JSON_NOT_OBJECT' },
  { title: 'half an object', body: '{"id": ', code: 'JSON_SYNTAX' },
]
