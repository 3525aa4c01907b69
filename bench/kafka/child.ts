import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../lib/paths.ts'

/** A process under measurement. */
export interface Child {
  readonly pid: number
  /** Processor time used so far, seconds; NaN where the system does not tell. */
  cpuSeconds(): number
  /** Resident memory, bytes. */
  residentBytes(): number
  /** Asks it to end and waits; throws what it said when it ended by itself before. */
  stop(): Promise<void>
}

const TICKS_PER_SECOND = 100
const PAGE_BYTES = 4_096
const QUIET = '--disable-warning=ExperimentalWarning'
const STOP_MS = 30_000

/** Fields of /proc/<pid>/stat after the command's name, which may hold spaces. */
const stat = (pid: number): string[] => {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
  } catch {
    return []
  }
}

/** Processor time of a process so far, seconds; NaN where the system does not tell. */
export const cpuOf = (pid: number): number => {
  const [user, system] = [stat(pid)[11], stat(pid)[12]]
  return (Number(user) + Number(system)) / TICKS_PER_SECOND
}

const running = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null

/** Starts a source file of this checkout with Node. */
export const startChild = (file: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Child => {
  const child = spawn(process.execPath, [QUIET, join(ROOT, file), ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (text: Buffer) => {
    said = (said + text.toString()).slice(-4_000)
  })
  const gone = new Promise<void>((resolve) => child.on('close', () => resolve()))
  const pid = child.pid!
  return {
    pid,
    cpuSeconds: () => cpuOf(pid),
    residentBytes: () => Number(stat(pid)[21]) * PAGE_BYTES,
    async stop() {
      if (!running(child)) throw new Error(`${file} ended by itself: ${said}`)
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
      await gone
      clearTimeout(timer)
    },
  }
}

const commandOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

/** Processor time of the Kafka brokers of this machine so far, seconds; NaN where none is seen. */
export const brokerCpuSeconds = (): number => {
  const pids = readdirSync('/proc')
    .map(Number)
    .filter((pid) => commandOf(pid).includes(' kafka.Kafka '))
  return pids.length === 0 ? Number.NaN : pids.reduce((sum, pid) => sum + cpuOf(pid), 0)
}
