// Which test files `npm test` runs.
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'

const ROOTS = ['schemas', 'packages', 'services', 'bench', 'test', 'scripts']
const SKIPPED = new Set(['node_modules', 'dist', 'build', 'coverage', '.cache', 'fixtures'])
const TEST_FILE = /\.test\.(ts|mjs)$/

const walk = function* (directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) {
      if (!SKIPPED.has(entry.name)) yield* walk(path)
    } else if (TEST_FILE.test(entry.name)) yield path
  }
}

/**
 * Splits what follows `npm test --` into flags of Node's test runner and files: a file, a folder (its tests) or,
 * where no such path exists, a part of a test's path. Without any of these, every test of the workspace.
 */
export const findTests = (root, args) => {
  const flags = args.filter((a) => a.startsWith('-'))
  const wanted = args.filter((a) => !a.startsWith('-'))
  const all = () => ROOTS.filter((name) => existsSync(join(root, name))).flatMap((name) => [...walk(join(root, name))])
  const match = (word) => {
    const path = resolve(root, word)
    if (!existsSync(path)) return all().filter((file) => relative(root, file).includes(word))
    return statSync(path).isDirectory() ? [...walk(path)] : [path]
  }
  const files = wanted.length === 0 ? all() : wanted.flatMap(match)
  return { flags, files: [...new Set(files.map((file) => relative(root, file)))].sort() }
}
