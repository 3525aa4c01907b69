import { type ChildProcess, spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from './child.ts'
import { UNREACHABLE } from './trigger.ts'
import type { WorkerPlan } from './worker.ts'

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url))
const LINES_KEPT = 40

/** A worker process, as the campaign sees it. */
export interface WorkerProcess {
  readonly id: string
  readonly pid: number
  /** Shards that the group gave it, as it said itself. */
  readonly shards: ReadonlySet<number>
  isAlive(): boolean
  /** It has started, and takes part. */
  isUp(): boolean
  send(command: Command): void
  signal(signal: 'SIGKILL' | 'SIGCONT'): void
  /** The first line from now on that matches; null after `ms` or when the process ends. */
  line(pattern: RegExp, ms: number): Promise<RegExpExecArray | null>
  /** Resolves when the process has ended. */
  readonly gone: Promise<void>
  readonly lines: readonly string[]
}

const track = (shards: Set<number>, line: string): void => {
  const owned = /^owns ([\d,]*)$/.exec(line)?.[1]
  if (owned === undefined) return
  shards.clear()
  for (const shard of owned.split(',')) if (shard !== '') shards.add(Number(shard))
}

const launch = (plan: WorkerPlan): ChildProcess =>
  spawn(process.execPath, ['--disable-warning=ExperimentalWarning', CHILD, JSON.stringify(plan)], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // Dozens of short processes: most of their time would go into loading the same sources.
    env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'plumbline-compile-cache') },
  })

/** Starts a worker; `onUnexpected` hears of one that ended in a way nobody asked for. */
export const spawnWorker = (plan: WorkerPlan, onUnexpected: (text: string) => void): WorkerProcess => {
  const child = launch(plan)
  const shards = new Set<number>()
  const lines: string[] = []
  const listeners = new Set<(line: string | null) => void>()
  let up = false
  let rest = ''
  let errors = ''
  const tell = (line: string | null): void => {
    for (const listener of listeners) listener(line)
  }
  child.stdin!.on('error', () => {})
  child.stderr!.on('data', (chunk) => (errors = (errors + chunk).slice(-2_000)))
  child.stdout!.on('data', (chunk) => {
    const parts = (rest + chunk).split('\n')
    rest = parts.pop() ?? ''
    for (const line of parts) {
      lines.push(line)
      if (lines.length > LINES_KEPT) lines.shift()
      if (line === 'up') up = true
      track(shards, line)
      tell(line)
    }
  })
  // One that stands still would outlive this process.
  const end = (): void => void child.kill('SIGKILL')
  process.once('exit', end)
  const gone = new Promise<void>((resolve) => {
    child.once('close', (code, signal) => {
      process.off('exit', end)
      shards.clear()
      if (signal !== 'SIGKILL' && code !== 0 && code !== UNREACHABLE)
        onUnexpected(`Worker ${plan.id} failed (${code ?? signal}): ${errors}`)
      tell(null)
      resolve()
    })
  })
  const isAlive = (): boolean => child.exitCode === null && child.signalCode === null
  return {
    id: plan.id,
    pid: child.pid ?? 0,
    shards,
    isAlive,
    isUp: () => up && isAlive(),
    send: (command) => void child.stdin!.write(`${JSON.stringify(command)}\n`),
    signal: (signal) => void child.kill(signal),
    line: (pattern, ms) =>
      new Promise((resolve) => {
        const end = (found: RegExpExecArray | null): void => {
          clearTimeout(timer)
          listeners.delete(listener)
          resolve(found)
        }
        const timer = setTimeout(() => end(null), ms)
        const listener = (line: string | null): void => {
          const found = line === null ? null : pattern.exec(line)
          if (line === null || found !== null) end(found)
        }
        if (isAlive()) listeners.add(listener)
        else end(null)
      }),
    gone,
    lines,
  }
}
