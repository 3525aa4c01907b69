import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))
export const RESULTS = join(ROOT, 'bench', 'results')

/** Things that can be made again: corpora, releases, virtual environments. Git-ignored. */
export const CACHE = join(ROOT, 'bench', '.cache')
mkdirSync(CACHE, { recursive: true })

/** The data sets that are not ours; null where they are not here. */
export const sharedData = (...parts: string[]): string | null => {
  const path = join(process.env['PLUMBLINE_SHARED_DATA'] ?? join(ROOT, '..', 'shared', 'data'), ...parts)
  return existsSync(path) ? path : null
}

/** Hash of these sources, files or folders (tests left out): what was made by other sources is made again. */
export const sourceHash = (...places: string[]): string => {
  const hash = createHash('sha256')
  for (const folder of places) {
    if (folder.endsWith('.ts')) {
      hash.update(readFileSync(join(ROOT, folder)))
      continue
    }
    const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((f) => f.endsWith('.ts') && !f.endsWith('.test.ts') && !f.includes('node_modules'))
      .sort()
    for (const file of files) hash.update(file).update(readFileSync(join(ROOT, folder, file)))
  }
  return hash.digest('hex').slice(0, 16)
}

export const hashOf = (...values: unknown[]): string => createHash('sha256').update(JSON.stringify(values)).digest('hex').slice(0, 16)
