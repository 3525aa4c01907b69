import { readFileSync, realpathSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { PlumblineError } from '@plumbline/schemas'
import { type Environment, kvKey } from './environment.ts'

interface Owner {
  readonly pid: number
  readonly started: string
  readonly host: string
  readonly nonce: string
}

const HEARTBEAT_MS = 5_000
/** An owner on another host (a replaced container) cannot be asked whether it lives; silence this long means it does not. */
const FOREIGN_SILENCE_MS = 4 * HEARTBEAT_MS
const openHere = new Set<string>()

/** Start time of a process in clock ticks, so that a reused process id is not taken for the old owner. */
const startedAt = (pid: number): string => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}

const isAlive = (owner: Owner, beat: string): boolean => {
  if (owner.host !== hostname()) {
    try {
      return Date.now() - statSync(beat).mtimeMs < FOREIGN_SILENCE_MS
    } catch {
      return false
    }
  }
  try {
    process.kill(owner.pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  return owner.started === startedAt(owner.pid)
}

const locked = (dir: string, owner: string): PlumblineError =>
  new PlumblineError(
    'DATA_DIR_LOCKED',
    `The data folder ${dir} is in use by ${owner}. Stop that Plumbline or set PLUMBLINE_DATA_DIR to another folder.`,
  )

/** Refuses a second opening in this process before LMDB hands out the same environment twice. */
export const claimInProcess = (dir: string): (() => void) => {
  const path = realpathSync(dir)
  if (openHere.has(path)) throw locked(dir, 'this process')
  openHere.add(path)
  return () => openHere.delete(path)
}

/**
 * Takes the folder for this process. Decided inside an LMDB write transaction, whose lock survives kill -9 and is
 * shared by all processes, so two starters can not both win.
 */
export const takeOwnership = (dir: string, env: Environment): (() => void) => {
  const beat = join(dir, 'owner.beat')
  const me: Owner = { pid: process.pid, started: startedAt(process.pid), host: hostname(), nonce: randomUUID() }
  env.root.transactionSync(() => {
    const stored = env.kv.get(kvKey('owner'))
    if (stored !== undefined) {
      const owner = JSON.parse(stored.toString()) as Owner
      const reusedPid = owner.pid === me.pid && owner.host === me.host && owner.started === me.started
      if (!reusedPid && isAlive(owner, beat)) throw locked(dir, `process ${owner.pid} on ${owner.host}`)
    }
    writeFileSync(beat, '')
    env.kv.putSync(kvKey('owner'), Buffer.from(JSON.stringify(me)))
  })
  const timer = setInterval(() => {
    const now = new Date()
    try {
      utimesSync(beat, now, now)
    } catch {
      // The folder may be on its way out; the next opening decides by process id.
    }
  }, HEARTBEAT_MS)
  timer.unref()
  return () => {
    clearInterval(timer)
    env.kv.removeSync(kvKey('owner'))
  }
}
