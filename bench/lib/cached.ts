import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CACHE, hashOf, sourceHash } from './paths.ts'

/** Answers from the cache what the same sources answered before. */
export const cached = async <T>(name: string, of: readonly unknown[], make: () => Promise<T>): Promise<T> => {
  const path = join(
    CACHE,
    `${name}-${hashOf(of, sourceHash('packages/detector/src', 'packages/training/src', 'packages/adapters/src/files', 'schemas/src', 'services/cli/src/evaluate'))}.json`,
  )
  if (!existsSync(path)) {
    writeFileSync(`${path}.part`, JSON.stringify(await make()))
    renameSync(`${path}.part`, path)
  }
  return JSON.parse(readFileSync(path, 'utf8')) as T
}
