import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { arch, availableParallelism, cpus, loadavg, platform, totalmem } from 'node:os'
import { ROOT } from './paths.ts'

/** Where and on what a result was measured; no names and no paths. */
export interface Shape {
  readonly cores: number
  readonly cpu: string
  readonly memoryGiB: number
  readonly platform: string
  readonly node: string
  /** One-minute load average before and after: other work on the machine makes absolute figures smaller. */
  readonly loadBefore: number
  readonly loadAfter: number
  readonly commit: string
}

const round = (x: number): number => Math.round(x * 10) / 10

export const shape = (loadBefore: number): Shape => ({
  cores: availableParallelism(),
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  platform: `${platform()} ${arch()}`,
  node: process.version,
  loadBefore: round(loadBefore),
  loadAfter: round(load()),
  commit: commit(),
})

export const load = (): number => loadavg()[0] ?? 0

const commit = (): string => {
  try {
    const run = (...args: string[]): string =>
      execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
    const dirty = run('status', '--porcelain', '--untracked-files=no', '--', 'packages', 'schemas', 'services', 'bench/detection') !== ''
    return run('rev-parse', '--short', 'HEAD') + (dirty ? ' + changes' : '')
  } catch {
    return 'unknown'
  }
}

export interface Memory {
  /** All resident memory, bytes. */
  readonly rss: number
  /** Without pages of files mapped in (LMDB's map is the page cache); 0 where the system does not tell. */
  readonly anonymous: number
}

/** Resident memory of this process after a full collection. Needs `--expose-gc`. */
export const settledMemory = (): Memory => {
  ;(globalThis as { gc?: () => void }).gc?.()
  let anonymous = 0
  try {
    anonymous = Number(/RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0) * 1024
  } catch {
    // Not Linux: only rss is known.
  }
  return { rss: process.memoryUsage.rss(), anonymous }
}
