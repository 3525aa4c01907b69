import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { PlumblineError } from '@plumbline/schemas'
import { generateSigningKey, loadSigningKey, type SigningKey } from '@plumbline/training'

/**
 * The key that signs this deployment's releases: made once, in a file only its owner can read.
 * Throws `RELEASE_KEY_INVALID` for a file that holds anything else.
 */
export const signingKeyIn = (path: string): SigningKey => {
  if (!existsSync(path)) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const file = openSync(path, 'wx', 0o600)
    writeSync(file, Buffer.from(generateSigningKey().privateKey).toString('base64'))
    fsyncSync(file)
    closeSync(file)
  }
  const text = readFileSync(path, 'utf8').trim()
  if (text === '') throw new PlumblineError('RELEASE_KEY_INVALID', `The signing key ${path} is empty. Restore it from the backup.`)
  return loadSigningKey(new Uint8Array(Buffer.from(text, 'base64')))
}
