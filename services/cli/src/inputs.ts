import { accessSync, constants, statSync } from 'node:fs'
import { PlumblineError } from '@plumbline/schemas'

/**
 * Looks at the files that a command is to read (`-` is standard input) before it begins any work. Throws FILE_NOT_FOUND,
 * FILE_IS_FOLDER, FILE_UNREADABLE.
 */
export const checkInputs = (paths: readonly string[]): void => paths.forEach(checkInput)

const checkInput = (path: string): void => {
  if (path === '-') return
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) throw new PlumblineError('FILE_NOT_FOUND', `${path} does not exist`)
  if (found.isDirectory())
    throw new PlumblineError('FILE_IS_FOLDER', `${path} is a folder; name the files in it, like ${path.replace(/\/+$/, '')}/*`)
  try {
    accessSync(path, constants.R_OK)
  } catch (cause) {
    throw new PlumblineError('FILE_UNREADABLE', `${path} may not be read by this user`, { cause })
  }
}

/** An error about a file as a whole says which. */
export const namingFile = (path: string, error: unknown): unknown => {
  if (!(error instanceof PlumblineError) || !/^(FILE|FORMAT)_/.test(error.code) || error.message.includes(path)) return error
  return new PlumblineError(error.code, `${path}: ${error.message.replace(/^stream:? /, '')}`, { retryable: error.retryable, cause: error })
}
