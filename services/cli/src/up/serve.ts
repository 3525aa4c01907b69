import { type ConfigSources, type LoadedConfig, printConfig } from '@plumbline/runtime'
import { PlumblineError } from '@plumbline/schemas'
import type { Standalone, StandaloneHooks } from '@plumbline/standalone'
import type { Command } from 'commander'
import type { z } from 'zod'
import { EXIT } from '../exit.ts'
import { describeError, type Output, note } from '../output.ts'
import { openBrowser } from './browser.ts'
import { givenFlags } from './flags.ts'
import { variablesOfOthers } from './variables.ts'

interface ServedConfig {
  readonly dataDir: string
  readonly token?: string | undefined
}

/** A process with a door and a page, and how it is configured. */
export interface Served<C extends ServedConfig> {
  readonly schema: z.ZodObject
  load(sources: ConfigSources): LoadedConfig<C>
  start(config: C, hooks: StandaloneHooks): Promise<Standalone>
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Signals that come this soon after the first are the same one: npm, its child and the terminal all pass it on. */
const SAME_SIGNAL_MS = 1500

/** Resolves at the first signal that asks to stop; a later Ctrl-C by somebody who will not wait ends the process at once. */
export const untilSignal = (): Promise<NodeJS.Signals> =>
  new Promise((resolve) => {
    let firstAt: number | undefined
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        if (firstAt !== undefined && signal === 'SIGINT' && performance.now() - firstAt > SAME_SIGNAL_MS) process.exit(1)
        firstAt ??= performance.now()
        resolve(signal)
      })
    }
  })

/** Longest that a start goes on after somebody asked to stop: it may be waiting for a broker that does not answer. */
const START_ENDS_MS = 8_000

/** The process once it is up. A stop that is asked for meanwhile lets the start finish, for a bounded time: START_INTERRUPTED. */
export const startedBy = async <S>(start: Promise<S>, stopped: Promise<unknown>): Promise<S> => {
  let timer: NodeJS.Timeout | undefined
  const given = stopped.then(
    () =>
      new Promise<never>((_, reject) => {
        const error = new PlumblineError(
          'START_INTERRUPTED',
          `stopped before it was up; it did not come to an end within ${START_ENDS_MS / 1_000} s`,
        )
        timer = setTimeout(() => reject(error), START_ENDS_MS)
      }),
  )
  try {
    return await Promise.race([start, given])
  } finally {
    clearTimeout(timer)
  }
}

/** What is still open after a stop in good order, like a connection that does not end, keeps the process this long at most. */
const LINGER_MS = 1_000
export const endSoon = (): void => void setTimeout(() => process.exit(), LINGER_MS).unref()

interface Serving {
  /** Whether to open the page in a browser. */
  readonly open: boolean
  /** The link: as soon as the page answers, which then shows how the rest comes up, or once everything is up. */
  readonly told: 'when listening' | 'when up'
}

/** Runs a process until a signal; exit code 0 when it stopped in good order. */
export const serve = async <C extends ServedConfig>(
  command: Command,
  output: Output,
  { schema, load, start }: Served<C>,
  { open, told }: Serving,
): Promise<void> => {
  const { config: file } = command.opts<{ config?: string }>()
  const ignoreEnv = await variablesOfOthers(schema, process.env)
  const loaded = load({ file, env: process.env, flags: givenFlags(command, schema), ignoreEnv })
  note(output, printConfig(loaded))
  if (ignoreEnv.length > 0) note(output, `of other processes, not read here: ${ignoreEnv.join(', ')}`)
  const stopped = untilSignal()
  const tell = ({ url, token }: { readonly url: string; readonly token: string }): void => {
    const link = `${url}/#token=${encodeURIComponent(token)}`
    // Whoever configured a token has it; what is printed ends up in the logs of whatever started us.
    const shown = loaded.config.token === undefined ? link : `${url}/`
    const words = `Plumbline is at ${shown}${shown === link ? '' : '\nThe page asks for the configured token.'}\nStop with Ctrl-C.`
    output.out.write(output.json ? `${JSON.stringify({ url, link: shown })}\n` : `${words}\n`)
    if (open) openBrowser(link, loaded.config.dataDir)
  }
  const service = await startedBy(start(loaded.config, told === 'when listening' ? { onListening: tell } : {}), stopped)
  if (told === 'when up') tell(service)
  const reason = await Promise.race([stopped, service.lost])
  note(output, typeof reason === 'string' ? `${reason}: stopping` : describeError(reason, output.json))
  const problems = await service.stop()
  if (typeof reason !== 'string') process.exitCode = EXIT.failure
  for (const problem of problems) note(output, describeError(problem, output.json))
  note(output, 'stopped')
  if (problems.length > 0) process.exitCode = EXIT.failure
  endSoon()
}
