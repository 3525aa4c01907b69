import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

const opener = (): readonly [string, ...string[]] | undefined => {
  if (process.platform === 'darwin') return ['open']
  if (process.platform === 'win32') return ['explorer']
  const screen = process.env['WAYLAND_DISPLAY'] ?? process.env['DISPLAY'] ?? ''
  return screen === '' ? undefined : ['xdg-open']
}

/** A person sits here: a terminal on both ends, no CI. */
export const somebodyLooks = (): boolean =>
  process.stdout.isTTY === true && process.stdin.isTTY === true && (process.env['CI'] ?? '') === ''

/**
 * Opens a link in the browser of this machine where there is one. The link holds the token, so it goes through a file only
 * its owner can read instead of a command line that everybody on the machine can see. Never throws.
 */
export const openBrowser = (link: string, dataDir: string): void => {
  const command = opener()
  if (command === undefined) return
  const file = join(dataDir, 'open.html')
  try {
    const target = JSON.stringify(link).replaceAll('<', '\\u003c')
    writeFileSync(file, `<!doctype html><title>Plumbline</title><script>location.replace(${target})</script>\n`, { mode: 0o600 })
    const child = spawn(command[0], [...command.slice(1), file], { stdio: 'ignore', detached: true })
    child.on('error', () => {})
    child.unref()
  } catch {
    // The printed link is enough.
  }
}
