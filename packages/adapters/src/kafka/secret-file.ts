import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'

/** Windows has no such modes. A group may read: that is how orchestrators hand secrets to processes that are not root. */
const OTHERS = process.platform === 'win32' ? 0 : 0o007

/**
 * The text of a file that only its owner (and group) may use. `refuse` makes the error of a problem; it is told nothing of
 * what the file holds.
 */
export const readSecretFile = (path: string, refuse: (problem: string) => Error): string => {
  let handle: number | undefined
  try {
    handle = openSync(path, 'r')
    const { mode } = fstatSync(handle)
    if ((mode & OTHERS) === 0) return readFileSync(handle, 'utf8')
    const shown = (mode & 0o777).toString(8).padStart(4, '0')
    throw refuse(`can be used by everybody on this machine (mode ${shown}). Run: chmod 600 ${path}`)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === undefined || !/^E[A-Z]+$/.test(code)) throw cause
    throw refuse(`cannot be read (${code}). Check that it exists and that this process may read it`)
  } finally {
    if (handle !== undefined) closeSync(handle)
  }
}
