/** Rows of numbers that something is to be learned from, with what is known of each row. */
export interface Dataset {
  /** One per column. */
  readonly names: readonly string[]
  /** Row by row. A number that is not there, or is none, is NaN. */
  readonly rows: Float32Array
  /** Whose each row is: equal numbers, equal identity. Absent: not known. */
  readonly identities?: Uint32Array | undefined
  /** When each row happened, ms since epoch; NaN where that is not known. Absent: not known. */
  readonly times?: Float64Array | undefined
  /** 1 for each row that alerted or was withheld from learning. Absent: not known. */
  readonly withheld?: Uint8Array | undefined
}

export const rowCount = ({ rows, names }: Dataset): number => (names.length === 0 ? 0 : rows.length / names.length)

/** Rows with numbers `of`, in that order. */
export const selectRows = (rows: Float32Array, width: number, of: ArrayLike<number>): Float32Array => {
  const out = new Float32Array(of.length * width)
  for (let i = 0; i < of.length; i++) out.set(rows.subarray(of[i]! * width, (of[i]! + 1) * width), i * width)
  return out
}

/** At most `most` row numbers, evenly spread over all of them. */
export const spreadOver = (rows: number, most: number): Int32Array => {
  const n = Math.min(rows, most)
  return Int32Array.from({ length: n }, (_, i) => Math.floor((i * rows) / n))
}

/** The last takes nothing: a check that failed severely keeps what was trained from being put into use. */
export type Severity = 'note' | 'warning' | 'severe'

export const CHECKS = ['numbers', 'constant', 'duplicates', 'near_duplicates', 'drift', 'leakage', 'cluster', 'identities'] as const
export type Check = (typeof CHECKS)[number]

/** What a check found. `numbers` are what the words say, for machines. */
export interface Finding {
  readonly check: Check
  readonly severity: Severity
  readonly words: string
  readonly columns?: readonly string[]
  readonly numbers: Readonly<Record<string, number>>
}

export const percent = (share: number): string => `${(share * 100).toFixed(share > 0 && share < 0.001 ? 3 : 1)} %`
/** `a, b and 3 more`. */
export const listed = (names: readonly string[], most = 5): string =>
  names.length <= most ? names.join(', ') : `${names.slice(0, most).join(', ')} and ${names.length - most} more`
