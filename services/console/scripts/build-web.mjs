// Builds the page into dist-web when it is missing or its sources changed: `node build-web.mjs [--force]`.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const GZIP_LIMIT_BYTES = 60_000
const home = dirname(dirname(fileURLToPath(import.meta.url)))
const web = join(home, 'web')
const out = join(home, 'dist-web')
const stampFile = join(out, 'stamp.txt')

const filesUnder = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()

function stampOfSources() {
  const hash = createHash('sha256')
  for (const file of [...filesUnder(web), join(home, 'package.json'), fileURLToPath(import.meta.url)]) {
    hash.update(relative(home, file)).update('\0').update(readFileSync(file)).update('\0')
  }
  return hash.digest('hex')
}

const stamp = stampOfSources()
if (!process.argv.includes('--force') && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) {
  process.stderr.write('page: up to date\n')
} else {
  const { build } = await import('vite')
  await build({
    root: web,
    base: './',
    configFile: false,
    logLevel: 'warn',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    // No inlined assets and no preload helper: the content policy allows files of our own only.
    build: { outDir: out, emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0, modulePreload: false, reportCompressedSize: false },
  })
  const files = filesUnder(out)
  const gzipped = files.reduce((sum, file) => sum + gzipSync(readFileSync(file), { level: 9 }).length, 0)
  if (gzipped > GZIP_LIMIT_BYTES) throw new Error(`the page is ${gzipped} bytes gzipped, more than ${GZIP_LIMIT_BYTES}`)
  // Written last: a build that was cut short is built again.
  writeFileSync(stampFile, stamp)
  process.stderr.write(`page: built, ${files.length} files, ${(gzipped / 1000).toFixed(1)} kB gzipped\n`)
}
