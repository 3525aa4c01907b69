import type { Output } from './output.ts'

/** Progress of long work on stderr. Costs a comparison per call; draws at most every 100 ms (a line every 5 s without a terminal). */
export interface Progress {
  /** `done` of `total` units; `total` 0 when it is not known. */
  at(done: number, total: number): void
  phase(name: string): void
  /** Clears the line. Call it before writing results. */
  end(): void
}

const SILENT: Progress = { at: () => {}, phase: () => {}, end: () => {} }
const BAR = 24

const bar = (share: number): string => {
  const filled = Math.round(Math.min(1, share) * BAR)
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR - filled)}] ${String(Math.floor(Math.min(1, share) * 100)).padStart(3)} %`
}

export const createProgress = (output: Output, first: string, unit: string): Progress => {
  if (!output.progress) return SILENT
  const terminal = output.err.isTTY === true
  const everyMs = terminal ? 100 : 5000
  let phase = first
  let startedAt = performance.now()
  let drawnAt = startedAt
  let calls = 0
  let wide = 0
  const draw = (text: string): void => {
    if (!terminal) return void output.err.write(`${text}\n`)
    output.err.write(`\r${text.padEnd(wide)}`)
    wide = text.length
  }
  return {
    phase: (name) => {
      phase = name
      startedAt = performance.now()
      drawnAt = startedAt
      draw(`${name} …`)
    },
    at: (done, total) => {
      // Asking the clock for each of a million events would show in the rate.
      if ((++calls & 63) !== 0 && calls > 64) return
      const now = performance.now()
      if (now - drawnAt < everyMs) return
      drawnAt = now
      const rate = Math.round((done * 1000) / Math.max(1, now - startedAt))
      const share = total > 0 ? `${bar(done / total)}  ` : ''
      draw(`${phase}  ${share}${done.toLocaleString('en')} ${unit}, ${rate.toLocaleString('en')}/s`)
    },
    end: () => {
      if (terminal && wide > 0) output.err.write(`\r${' '.repeat(wide)}\r`)
      wide = 0
    },
  }
}
