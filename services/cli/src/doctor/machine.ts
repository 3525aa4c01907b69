import { constants } from 'node:fs'
import { access, mkdtemp, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { freemem, totalmem } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import type { Check } from './diagnose.ts'

const GB = 1024 ** 3
const gb = (bytes: number): string => `${(bytes / GB).toFixed(1)} GB`

const MEMORY_NEEDED = 2 * GB
const DISK_NEEDED = 2 * GB
const FILES_NEEDED = 1024

export const checkNode: Check = async () => {
  const { version } = process
  if (Number.parseInt(version.slice(1), 10) === 24) return [{ name: 'node', status: 'ok', found: version }]
  return [
    {
      name: 'node',
      status: 'warn',
      found: `${version}, not 24`,
      fix: 'start it through npm start or npx plumbline, which bring Node 24 along',
    },
  ]
}

export const checkMemory: Check = async () => {
  const found = `${gb(freemem())} free of ${gb(totalmem())}`
  if (totalmem() >= MEMORY_NEEDED) return [{ name: 'memory', status: 'ok', found }]
  return [
    { name: 'memory', status: 'warn', found, fix: `give it ${gb(MEMORY_NEEDED)}, or use a ClickHouse server elsewhere (CLICKHOUSE_URL)` },
  ]
}

/** The folder itself, or the nearest one above it that exists. */
const existing = async (path: string): Promise<string> => {
  for (let at = resolve(path); ; at = dirname(at)) {
    const there = await stat(at).then(
      (s) => s.isDirectory(),
      () => false,
    )
    if (there || at === dirname(at)) return at
  }
}

export const checkDisk: Check = async ({ dataDir }) => {
  const fs = await statfs(await existing(dataDir))
  const free = fs.bavail * fs.bsize
  const found = `${gb(free)} free at ${resolve(dataDir)}`
  if (free >= DISK_NEEDED) return [{ name: 'disk', status: 'ok', found }]
  return [
    {
      name: 'disk',
      status: free > DISK_NEEDED / 8 ? 'warn' : 'fail',
      found,
      fix: `free ${gb(DISK_NEEDED)} or set PLUMBLINE_DATA_DIR to another disk`,
    },
  ]
}

export const checkDataDir: Check = async ({ dataDir }) => {
  const path = resolve(dataDir)
  const at = await existing(path)
  const writable = await access(at, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  )
  if (!writable)
    return [
      { name: 'data folder', status: 'fail', found: `${at} cannot be written by this user`, fix: `chown it, or set PLUMBLINE_DATA_DIR` },
    ]
  if (at !== path) return [{ name: 'data folder', status: 'ok', found: `${path}, will be created` }]
  const mode = (await stat(path)).mode & 0o777
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    return [
      { name: 'data folder', status: 'warn', found: `${path} is open to other users (mode ${mode.toString(8)})`, fix: `chmod 700 ${path}` },
    ]
  }
  return [{ name: 'data folder', status: 'ok', found: path }]
}

export const checkFiles: Check = async () => {
  if (process.platform === 'win32') return []
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { soft: number | string } } }
  const soft = userLimits?.open_files?.soft ?? 'unlimited'
  if (typeof soft === 'string' || soft >= FILES_NEEDED) return [{ name: 'open files', status: 'ok', found: String(soft) }]
  return [{ name: 'open files', status: 'warn', found: `at most ${soft}`, fix: `ulimit -n ${FILES_NEEDED} or more` }]
}

const FIRST_SANE_YEAR = 2025
const MAX_SKEW_MS = 120_000

/** A clock that is off turns good events into dead letters (TIME_FUTURE) or late ones. */
export const checkClock: Check = async ({ dataDir }) => {
  const now = new Date()
  const folder = await mkdtemp(join(await existing(dataDir), '.plumbline-doctor-')).catch(() => undefined)
  let skew = 0
  if (folder !== undefined) {
    await writeFile(join(folder, 'clock'), '')
    skew = Math.abs((await stat(join(folder, 'clock'))).mtimeMs - now.getTime())
    await rm(folder, { recursive: true, force: true })
  }
  const fix = 'set the clock and keep it set (NTP)'
  if (now.getUTCFullYear() < FIRST_SANE_YEAR || now.getUTCFullYear() > 2099)
    return [{ name: 'clock', status: 'fail', found: now.toISOString(), fix }]
  if (skew > MAX_SKEW_MS)
    return [{ name: 'clock', status: 'warn', found: `${Math.round(skew / 1000)} s apart from the file server's`, fix }]
  return [{ name: 'clock', status: 'ok', found: now.toISOString() }]
}

const bindable = (port: number): Promise<string | undefined> =>
  new Promise((settle) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => settle(error.code ?? error.message))
    server.listen(port, '127.0.0.1', () => server.close(() => settle(undefined)))
  })

export const checkPort: Check = async ({ httpPort }) => {
  const name = `port ${httpPort}`
  const problem = await bindable(httpPort)
  if (problem === undefined) return [{ name, status: 'ok', found: 'free' }]
  if (problem !== 'EADDRINUSE')
    return [{ name, status: 'fail', found: `cannot be opened (${problem})`, fix: 'set PLUMBLINE_HTTP_PORT to another port, 1024 or above' }]
  const own = await fetch(`http://127.0.0.1:${httpPort}/healthz`, { signal: AbortSignal.timeout(2000) }).then(
    (r) => r.ok,
    () => false,
  )
  if (own) return [{ name, status: 'ok', found: 'a service answers there, most likely Plumbline itself' }]
  return [{ name, status: 'fail', found: 'taken by another program', fix: 'stop it, or set PLUMBLINE_HTTP_PORT' }]
}
