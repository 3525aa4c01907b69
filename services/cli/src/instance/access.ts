import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PlumblineError } from '@plumbline/schemas'
import { describeError, note, type Output } from '../output.ts'
import { dataDirOf } from '../store.ts'
import { type Api, createApi } from './api.ts'

export interface InstanceFlags {
  readonly dataDir?: string
  readonly config?: string
}

/** An instance to work with: the one that runs on a data folder, or one started for this command. */
export interface InstanceAccess {
  /** With the token of senders and readers. */
  readonly api: Api
  /** With the key of this machine's operator. */
  readonly operator: Api
  /** Started for this command; `close` stops it. */
  readonly own: boolean
  close(): Promise<void>
}

const READY_WITHIN_MS = 60_000

/** The operator's way into the instance of a data folder. Throws OPERATOR_KEY_MISSING. */
const accessTo = (found: {
  readonly url: string
  readonly token: string
  readonly operator?: string | undefined
}): Pick<InstanceAccess, 'api' | 'operator'> => {
  if (found.operator === undefined)
    throw new PlumblineError('OPERATOR_KEY_MISSING', `the instance at ${found.url} is of an older version; restart it`)
  return { api: createApi(found.url, found.token), operator: createApi(found.url, found.operator) }
}

/** Same scheme, host and port; all names of this machine are one. */
const sameInstance = (a: string, b: string): boolean => {
  if (!URL.canParse(a) || !URL.canParse(b)) return false
  const parts = (text: string): string => {
    const url = new URL(text)
    return `${url.protocol}//${url.hostname === 'localhost' || url.hostname === '[::1]' ? '127.0.0.1' : url.hostname}:${url.port}`
  }
  return parts(a) === parts(b)
}

/** The instance that runs on a data folder, when it is the one at `url`; else undefined. */
export const runningAt = async (url: string, flags: InstanceFlags): Promise<Pick<InstanceAccess, 'api' | 'operator'> | undefined> => {
  const { findInstance } = await import('@plumbline/runtime')
  const found = findInstance(dataDirOf(flags))
  return found === undefined || !sameInstance(found.url, url) ? undefined : accessTo(found)
}

/** Token for the instance at `url`: PLUMBLINE_TOKEN, else that of the data folder when it is the one there. */
export const tokenFor = async (url: string, flags: InstanceFlags): Promise<string | undefined> => {
  const { findInstance } = await import('@plumbline/runtime')
  const found = findInstance(dataDirOf(flags))
  return process.env['PLUMBLINE_TOKEN'] ?? (found !== undefined && sameInstance(found.url, url) ? found.token : undefined)
}

/** Opens a data folder for one command: no demo, no alerts on stdout, a free port. */
const startOwn = async (dataDir: string, flags: InstanceFlags, output: Output): Promise<InstanceAccess> => {
  const [{ loadStandaloneConfig, startStandalone }, { createLogger, findInstance }] = await Promise.all([
    import('@plumbline/standalone'),
    import('@plumbline/runtime'),
  ])
  const { config } = loadStandaloneConfig({ file: flags.config, env: process.env, flags: { dataDir } })
  const logger = createLogger({ name: 'plumbline', level: 'error', destination: { write: (line) => void process.stderr.write(line) } })
  const service = await startStandalone({ ...config, host: '127.0.0.1', httpPort: 0, demo: false, alertsStdout: false }, { logger })
  const close = async (): Promise<void> => {
    for (const problem of await service.stop()) note(output, describeError(problem, output.json))
  }
  try {
    const found = findInstance(dataDir)
    if (found === undefined) throw new PlumblineError('INSTANCE_NOT_RUNNING', `the instance on ${dataDir} ended by itself`)
    await untilReady(service.url)
    return { ...accessTo(found), own: true, close }
  } catch (error) {
    await close()
    throw error
  }
}

const untilReady = async (url: string): Promise<void> => {
  const end = performance.now() + READY_WITHIN_MS
  for (;;) {
    const answer = await fetch(`${url}/readyz`)
    if (answer.ok) return
    if (performance.now() > end)
      throw new PlumblineError(
        'INSTANCE_NOT_READY',
        `not ready within ${READY_WITHIN_MS / 1000} s: ${(await answer.text()).slice(0, 500)}`,
        {
          retryable: true,
        },
      )
    await sleep(50)
  }
}

/**
 * The instance of a data folder: the running one, else one that is started for this command. Throws DATA_DIR_EMPTY when
 * there is none and `needs` is `data`: what only asks of a folder makes none.
 */
export const openInstance = async (flags: InstanceFlags, output: Output, needs: 'data' | 'nothing'): Promise<InstanceAccess> => {
  const { DATA_LAYOUT, findInstance } = await import('@plumbline/runtime')
  const dataDir = dataDirOf(flags)
  const found = findInstance(dataDir)
  if (found === undefined && needs === 'data' && !existsSync(join(dataDir, DATA_LAYOUT.log)))
    throw new PlumblineError('DATA_DIR_EMPTY', `there is no instance's data in ${dataDir}; set --data-dir or PLUMBLINE_DATA_DIR`)
  if (found === undefined) return startOwn(dataDir, flags, output)
  return { ...accessTo(found), own: false, close: () => Promise.resolve() }
}
