// The web page is the one thing that is built: from services/console/web, when a source is newer than the build.
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './bootstrap.mjs'

const CONSOLE = join(ROOT, 'services', 'console')
const BUILDER = join(CONSOLE, 'scripts', 'build-web.mjs')
const SOURCES = [join(CONSOLE, 'web'), BUILDER, join(CONSOLE, 'package.json')]
const SKIPPED = new Set(['node_modules', 'dist'])

/** Newest modification below a path in ms; 0 when it does not exist. */
const newest = (path) => {
  if (!existsSync(path)) return 0
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(
    0,
    ...readdirSync(path)
      .filter((name) => !SKIPPED.has(name))
      .map((name) => newest(join(path, name))),
  )
}

/** Builds the page when needed. Resolves with an exit code; 0 when there is nothing to do. */
export const buildPage = async (ready, node, { force = false } = {}) => {
  if (!existsSync(BUILDER)) return 0
  const built = newest(join(CONSOLE, 'dist', 'index.html'))
  if (!force && built > Math.max(...SOURCES.map(newest))) return 0
  // What a builder says belongs to the progress, not to the output of the command behind it.
  return node(ready, [BUILDER], { stdio: ['ignore', 2, 2] })
}
