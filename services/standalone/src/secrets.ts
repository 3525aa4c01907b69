import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { DATA_LAYOUT } from '@plumbline/runtime'
import { PlumblineError } from '@plumbline/schemas'

const keyFile = (dataDir: string, name: string): string => {
  const dir = join(dataDir, DATA_LAYOUT.keys)
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  return join(dir, name)
}

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
