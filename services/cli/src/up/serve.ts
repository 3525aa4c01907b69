import { type ConfigSources, type LoadedConfig, printConfig } from '@plumbline/runtime'
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

/** Runs a process until a signal; exit code 0 when it stopped in good order. `open`: whether to open the page in a browser. */
export const serve = async <C extends ServedConfig>(
  command: Command,
  output: Output,
  { schema, load, start }: Served<C>,
  open: boolean,
): Promise<void> => {
  const { config: file } = command.opts<{ config?: string }>()
  const ignoreEnv = await variablesOfOthers(schema, process.env)
  const loaded = load({ file, env: process.env, flags: givenFlags(command, schema), ignoreEnv })
  note(output, printConfig(loaded))
  if (ignoreEnv.length > 0) note(output, `of other processes, not read here: ${ignoreEnv.join(', ')}`)
  const stopped = untilSignal()
  // The page comes first: it shows the progress of the rest.
  const onListening = ({ url, token }: { readonly url: string; readonly token: string }): void => {
    const link = `${url}/#token=${encodeURIComponent(token)}`
    // Whoever configured a token has it; what is printed ends up in the logs of whatever started us.
    const shown = loaded.config.token === undefined ? link : `${url}/`
    const words = `Plumbline is at ${shown}${shown === link ? '' : '\nThe page asks for the configured token.'}\nStop with Ctrl-C.`
    output.out.write(output.json ? `${JSON.stringify({ url, link: shown })}\n` : `${words}\n`)
    if (open) openBrowser(link, loaded.config.dataDir)
  }
  const service = await start(loaded.config, { onListening })
  const reason = await Promise.race([stopped, service.lost])
  note(output, typeof reason === 'string' ? `${reason}: stopping` : describeError(reason, output.json))
  const problems = await service.stop()
  if (typeof reason !== 'string') process.exitCode = EXIT.failure
  for (const problem of problems) note(output, describeError(problem, output.json))
  note(output, 'stopped')
  if (problems.length > 0) process.exitCode = EXIT.failure
}
