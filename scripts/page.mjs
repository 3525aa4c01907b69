// The web page is the one thing that is built: by services/console, when a source is newer than what was built.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { locked, ROOT } from './bootstrap.mjs'

const CONSOLE = join(ROOT, 'services', 'console')
const BUILDER = join(CONSOLE, 'scripts', 'build-web.mjs')
const BUILT = join(CONSOLE, 'dist-web', 'stamp.txt')

/** Newest modification below a path in ms; 0 when it does not exist. */
const newest = (path) => {
  if (!existsSync(path)) return 0
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))))
}

const outdated = () => newest(BUILT) <= Math.max(...[join(CONSOLE, 'web'), BUILDER, join(CONSOLE, 'package.json')].map(newest))

/** Whether `plumbline` with these arguments shows the page: options of `plumbline` itself may come first. */
export const showsPage = (args) => ['up', 'front'].includes(args.find((arg) => !arg.startsWith('-')))

/** Builds the page when needed. Returns an exit code; 0 when there is nothing to do. */
export const buildPage = (ready, { force = false } = {}) => {
  if (!existsSync(BUILDER) || (!force && !outdated())) return 0
  return locked(() => {
    if (!force && !outdated()) return 0
    // What a builder says belongs to the progress, not to the output of the command behind it.
    const args = force ? [BUILDER, '--force'] : [BUILDER]
    return spawnSync(ready.node, args, { cwd: ROOT, env: ready.env, stdio: ['ignore', 2, 2] }).status ?? 1
  })
}
