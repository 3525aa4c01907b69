import { randomBytes } from 'node:crypto'
import { chmodSync, closeSync, existsSync, fsyncSync, lstatSync, mkdirSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { DATA_LAYOUT } from '@plumbline/runtime'
import { PlumblineError } from '@plumbline/schemas'

/** Bits that let anybody but the owner in. */
const OTHERS = 0o077
/** Of a folder that is everybody's on purpose, like /tmp. */
const STICKY = 0o1000

/** Closes a path to others where that is ours to do; what is not there is closed. */
const close = (path: string): boolean => {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined || found.isSymbolicLink() || (found.mode & OTHERS) === 0 || (found.mode & STICKY) !== 0) return true
  try {
    chmodSync(path, found.mode & 0o700)
    return true
  } catch {
    return false
  }
}

/**
 * Makes the data folder its owner's alone, also one that was there already, and every file that this process and its children
 * make from now on. A folder with other things in it is left as it is, only ours in it are closed.
 * Returns the paths that stay open to others because they belong to somebody else.
 */
export const privateFolder = (dataDir: string): readonly string[] => {
  process.umask(OTHERS)
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const inside = readdirSync(dataDir)
  const ours = new Set<string>(Object.values(DATA_LAYOUT))
  const paths = inside.filter((name) => ours.has(name)).map((name) => join(dataDir, name))
  if (inside.length === 0 || paths.length > 0) paths.push(dataDir)
  return paths.filter((path) => !close(path))
}

const keyFile = (dataDir: string, name: string): string => {
  const dir = join(dataDir, DATA_LAYOUT.keys)
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  return join(dir, name)
}

/** Public halves only, and the operator's to write: made by `plumbline changes key`, read by the door. */
export const deployKeysPath = (dataDir: string): string => join(dataDir, DATA_LAYOUT.keys, 'deploy-keys.json')

export const signingKeyPath = (dataDir: string): string => keyFile(dataDir, 'signing.key')

/** The configured token, else the one of the data folder, made at first use in a file only its owner can read. */
export const tokenFor = (dataDir: string, configured: string | undefined): string => {
  if (configured !== undefined) return configured
  const path = keyFile(dataDir, 'token')
  if (!existsSync(path)) {
    const file = openSync(path, 'wx', 0o600)
    writeSync(file, randomBytes(24).toString('base64url'))
    fsyncSync(file)
    closeSync(file)
  }
  const token = readFileSync(path, 'utf8').trim()
  if (token.length < 16)
    throw new PlumblineError('TOKEN_FILE_INVALID', `The token in ${path} is too short. Remove the file to get a new one.`)
  return token
}
