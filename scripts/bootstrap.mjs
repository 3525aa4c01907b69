#!/usr/bin/env node
// Makes this checkout runnable on a machine that has nothing but Node 20 or newer and npm:
// Node 24 and pnpm under .tools/ (when the machine's own do not fit), then the workspace's packages.
// Plain JavaScript without dependencies, because it runs before anything is installed.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const TOOLS = join(ROOT, '.tools')
const MODULES = join(ROOT, 'node_modules')
const STAMP = join(MODULES, '.plumbline-installed')
const WINDOWS = process.platform === 'win32'

/** Tried first; the major alone is tried where a registry does not carry the exact version. */
const WANTED = { node: '24.21.0', pnpm: '12.21.0' }
const ATTEMPTS = 4
const LOCK_WAIT_MS = 15 * 60_000

const say = (text) => process.stderr.write(`plumbline: ${text}\n`)
const sleep = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
const major = (version) => Number.parseInt(version, 10)
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'))

/** Raised for a failure the user can do something about; `main` prints it without a stack. */
export class BootstrapError extends Error {}

const toolVersion = (name) => {
  try {
    return readJson(join(TOOLS, 'node_modules', name, 'package.json')).version
  } catch {
    return undefined
  }
}

const ownNode = () => {
  const binary = join(TOOLS, 'node_modules', 'node', 'bin', WINDOWS ? 'node.exe' : 'node')
  return major(toolVersion('node') ?? '0') === 24 && existsSync(binary) ? binary : undefined
}

/** Path of a Node 24, or undefined: the one running this, else the one under .tools/. */
const findNode = () => (major(process.versions.node) === 24 ? process.execPath : ownNode())

/** pnpm 12 is a native program; npm links it (on Windows: wraps it) among the tools' binaries. */
const ownPnpm = () => {
  const binary = join(TOOLS, 'node_modules', '.bin', WINDOWS ? 'pnpm.cmd' : 'pnpm')
  return major(toolVersion('pnpm') ?? '0') === 12 && existsSync(binary) ? binary : undefined
}

/** Environment for children: Node 24, then the workspace's binaries, first on PATH. */
export const environment = (node) => {
  const env = { ...process.env }
  const pathName = Object.keys(env).find((k) => k.toUpperCase() === 'PATH') ?? 'PATH'
  env[pathName] = [dirname(node), join(TOOLS, 'node_modules', '.bin'), TOOL_BINARIES, env[pathName]].join(delimiter)
  return env
}

const run = (command, args, options = {}) => spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 2, 2], shell: WINDOWS, ...options })

/** Runs until exit code 0, up to four times with growing pauses: registries and proxies hiccup. */
const retry = (what, attempt) => {
  for (let i = 1; ; i++) {
    const result = attempt(i)
    if (result.status === 0) return
    if (result.error?.code === 'ENOENT') throw new BootstrapError(`${what} failed: ${result.error.path} was not found on PATH.`)
    if (i === ATTEMPTS)
      throw new BootstrapError(`${what} failed ${ATTEMPTS} times. Its own words are above; check the network and the npm settings.`)
    const pauseMs = 1000 * 3 ** (i - 1)
    say(`${what} failed; once more in ${pauseMs / 1000} s`)
    sleep(pauseMs)
  }
}

const holderAlive = (lock) => {
  try {
    process.kill(Number(readFileSync(join(lock, 'pid'), 'utf8')), 0)
    return true
  } catch (error) {
    if (error.code === 'EPERM') return true
    // No pid file yet: the holder is between mkdir and write, unless the folder is old.
    if (error.code === 'ENOENT' && existsSync(lock)) return Date.now() - statSync(lock).mtimeMs < 5000
    return false
  }
}

/** Two starts at once must not install over each other. A dead holder's lock is taken away. */
export const locked = (work) => {
  mkdirSync(TOOLS, { recursive: true })
  const lock = join(TOOLS, 'lock')
  const giveUp = Date.now() + LOCK_WAIT_MS
  for (let told = false; ; ) {
    try {
      mkdirSync(lock)
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    if (!holderAlive(lock)) {
      // Rename first: of several waiters only one gets to remove the dead lock.
      const dead = `${lock}.dead-${process.pid}`
      try {
        renameSync(lock, dead)
        rmSync(dead, { recursive: true, force: true })
      } catch {
        /* another waiter was faster */
      }
      continue
    }
    if (Date.now() > giveUp)
      throw new BootstrapError(`another start has been installing for 15 minutes; if none is running, remove ${lock}`)
    if (!told) say('another start is installing; waiting for it')
    told = true
    sleep(250)
  }
  try {
    writeFileSync(join(lock, 'pid'), String(process.pid))
    return work()
  } finally {
    rmSync(lock, { recursive: true, force: true })
  }
}

/** Leftovers of an install that was killed. Only called under the lock. */
const sweep = () => {
  for (const name of readdirSync(TOOLS))
    if (/^(staging|old|lock\.dead)-?/.test(name) && name !== 'lock') rmSync(join(TOOLS, name), { recursive: true, force: true })
}

/** Installs into a staging folder and renames it into place, so that a half install is never taken for a whole one. */
const installTools = () => {
  sweep()
  const staging = join(TOOLS, `staging-${process.pid}`)
  const wanted = major(process.versions.node) === 24 ? ['pnpm'] : ['node', 'pnpm']
  say(`installing ${wanted.map((name) => `${name} ${major(WANTED[name])}`).join(' and ')} under .tools/ (once; up to a minute)`)
  retry('npm install of the tools', (attempt) => {
    rmSync(staging, { recursive: true, force: true })
    mkdirSync(staging, { recursive: true })
    writeFileSync(join(staging, 'package.json'), '{"private":true}\n')
    const specs = wanted.map((name) => `${name}@${attempt === 1 ? WANTED[name] : major(WANTED[name])}`)
    const flags = ['--no-audit', '--no-fund', '--no-package-lock', '--no-save', '--ignore-scripts=false', '--loglevel=error', '--omit=']
    return run('npm', ['install', '--prefix', staging, ...flags, ...specs], { cwd: staging })
  })
  const old = join(TOOLS, `old-${process.pid}`)
  const target = join(TOOLS, 'node_modules')
  if (existsSync(target)) renameSync(target, old)
  renameSync(join(staging, 'node_modules'), target)
  sweep()
}

const ensureTools = () => {
  const ready = () => findNode() !== undefined && ownPnpm() !== undefined
  if (!ready()) locked(() => ready() || installTools())
  const node = findNode()
  if (node === undefined || ownPnpm() === undefined)
    throw new BootstrapError('the tools did not install whole: remove .tools/ and try again')
  return node
}

/** Changes whenever an installed workspace is out of date. */
const workspaceHash = () => {
  const hash = createHash('sha256')
  for (const name of ['pnpm-lock.yaml', 'pnpm-workspace.yaml']) hash.update(readFileSync(join(ROOT, name)))
  return hash.digest('hex')
}

const installedHash = () => {
  try {
    return readFileSync(STAMP, 'utf8').trim()
  } catch {
    return undefined
  }
}

const installModules = (node) => {
  if (existsSync(MODULES) && !existsSync(join(MODULES, '.modules.yaml'))) {
    // Laid out by another package manager; mixing the two layouts breaks both.
    rmSync(MODULES, { recursive: true, force: true })
  }
  say('installing the packages of the workspace (once; a minute or two)')
  const env = { ...environment(node), CI: 'true', INSTALLED_BY_BOOTSTRAP: '1' }
  // npm hands its own settings down as npm_config_*; pnpm must not take them for its own.
  for (const key of Object.keys(env))
    if (/^npm_config_(omit|package_lock|prefix|local_prefix|user_agent|production)$/i.test(key)) delete env[key]
  const flags = ['--frozen-lockfile', '--prod=false', '--reporter=append-only', '--loglevel=warn']
  retry('pnpm install', () => run(ownPnpm(), ['install', ...flags], { env }))
  writeFileSync(STAMP, `${workspaceHash()}\n`)
}

/** Programs of the workspace's tools, and where they are. */
const TOOL_BINARIES = join(ROOT, 'scripts', 'node_modules', '.bin')

/**
 * `npx plumbline` and `npx tsc` look into the root's node_modules/.bin. The root package has no dependencies, so nobody
 * else writes there: npm, run by habit, would otherwise tear at pnpm's links, or trip over them.
 */
const linkCommands = () => {
  const directory = join(MODULES, '.bin')
  mkdirSync(directory, { recursive: true })
  const place = (name, write) => {
    if (existsSync(join(directory, WINDOWS ? `${name}.cmd` : name))) return
    try {
      write(join(directory, name))
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
  }
  place('plumbline', (path) => {
    if (WINDOWS) writeFileSync(`${path}.cmd`, '@node "%~dp0\\..\\..\\scripts\\plumbline.mjs" %*\r\n')
    else symlinkSync('../../scripts/plumbline.mjs', path)
  })
  if (WINDOWS) return
  for (const name of readdirSync(TOOL_BINARIES)) {
    place(name, (path) => {
      writeFileSync(path, `#!/bin/sh\nexec "$(dirname "$0")/../../scripts/node_modules/.bin/${name}" "$@"\n`, { mode: 0o755, flag: 'wx' })
    })
  }
}

const ensureModules = (node) => {
  const ready = () => installedHash() === workspaceHash()
  if (!ready()) locked(() => ready() || installModules(node))
  linkCommands()
}

/**
 * Everything a command needs. Returns the path of Node 24 and the environment to start children with.
 * Quick (two small files read) and silent when all is there; needs the network only when something is missing.
 */
export const bootstrap = () => {
  if (major(process.versions.node) < 20) throw new BootstrapError(`Node 20 or newer is needed to start; this is ${process.versions.node}.`)
  const node = ensureTools()
  ensureModules(node)
  return { node, env: environment(node) }
}

/** Runs `main`, printing what the user can act on without a stack. */
export const guarded = async (main) => {
  try {
    await main()
  } catch (error) {
    if (!(error instanceof BootstrapError)) throw error
    say(error.message)
    process.exitCode = 1
  }
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) await guarded(() => void bootstrap())
