import { PlumblineError } from '@plumbline/schemas'

/** Where a command writes. Results go to `out`, everything else to `err`, so that a pipe carries results only. */
export interface Output {
  /** Results as JSON instead of words. */
  readonly json: boolean
  readonly out: NodeJS.WritableStream
  readonly err: NodeJS.WritableStream & { readonly isTTY?: boolean }
  /** Progress is shown: stderr is a terminal, or `--progress` was given. */
  readonly progress: boolean
}

/** Writes and waits while the reader is slower than we are. */
export const write = (stream: NodeJS.WritableStream, chunk: string | Uint8Array): Promise<void> =>
  new Promise((resolve, reject) => {
    const ok = stream.write(chunk, (error) => {
      if (error !== null && error !== undefined) reject(error)
      else if (!ok) resolve()
    })
    if (ok) resolve()
  })

/** A result: one JSON document with `--json`, else its words. */
export const report = (output: Output, value: unknown, words: string): Promise<void> =>
  write(output.out, output.json ? `${JSON.stringify(value)}\n` : `${words}\n`)

export const note = (output: Output, text: string): void => void output.err.write(`${text}\n`)

/** A part that did not start says why in its cause; its code is the one that the documentation speaks of. */
export const causeOf = (error: unknown): unknown =>
  error instanceof PlumblineError && error.code === 'PART_START_FAILED' && error.cause instanceof PlumblineError
    ? causeOf(error.cause)
    : error

/** An error in words, or as `{"error": {code, message}}` on stderr with `--json`. Never a stack for what a user did. */
export const describeError = (error: unknown, json: boolean): string => {
  const cause = causeOf(error)
  const code = cause instanceof PlumblineError ? cause.code : 'UNEXPECTED'
  const message = error instanceof Error ? error.message : String(error)
  if (json) return JSON.stringify({ error: { code, message } })
  const stack = error instanceof PlumblineError || !(error instanceof Error) ? '' : `\n${error.stack ?? ''}`
  return `plumbline: ${message} [${code}]${stack}`
}

/** `1 event`, `2,900 events`. */
export const counted = (n: number, one: string, many = `${one}s`): string => `${n.toLocaleString('en')} ${n === 1 ? one : many}`

/** Columns under each other; the last is not padded. */
export const columns = (rows: readonly (readonly string[])[]): string => {
  const widths = rows.reduce<number[]>((w, row) => row.map((cell, i) => Math.max(w[i] ?? 0, cell.length)), [])
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
