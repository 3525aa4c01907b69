import { loadStandaloneConfig, startStandalone, StandaloneConfig } from '@plumbline/standalone'
import { printConfig } from '@plumbline/runtime'
import type { Command } from 'commander'
import { EXIT } from '../exit.ts'
import { describeError, type Output, note } from '../output.ts'
import { openBrowser, somebodyLooks } from './browser.ts'
import { addConfigFlags, givenFlags } from './flags.ts'

/** Adds the options of `up`; its module is only loaded when they are needed. */
export const describeUp = (command: Command): void => addConfigFlags(command, StandaloneConfig)

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Signals that come this soon after the first are the same one: npm, its child and the terminal all pass it on. */
const SAME_SIGNAL_MS = 1500

/** Resolves at the first signal that asks to stop; a later Ctrl-C by somebody who will not wait ends the process at once. */
const untilSignal = (): Promise<NodeJS.Signals> =>
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

/** Runs everything in this process until a signal; exit code 0 when it stopped in good order. */
export const up = async (command: Command, output: Output): Promise<void> => {
  const { config: file, open } = command.opts<{ config?: string; open?: boolean }>()
  const loaded = loadStandaloneConfig({ file, env: process.env, flags: givenFlags(command, StandaloneConfig) })
  note(output, printConfig(loaded))
  const stopped = untilSignal()
  // The page comes first: it shows the progress of the rest.
  const onListening = ({ url, token }: { readonly url: string; readonly token: string }): void => {
    const link = `${url}/#token=${encodeURIComponent(token)}`
    // Whoever configured a token has it; what is printed ends up in the logs of whatever started us.
    const shown = loaded.config.token === undefined ? link : `${url}/`
    const words = `Plumbline is at ${shown}${shown === link ? '' : '\nThe page asks for the configured token.'}\nStop with Ctrl-C.`
    output.out.write(output.json ? `${JSON.stringify({ url, link: shown })}\n` : `${words}\n`)
    if (open ?? somebodyLooks()) openBrowser(link, loaded.config.dataDir)
  }
  const service = await startStandalone(loaded.config, { onListening })
  const signal = await stopped
  note(output, `${signal}: stopping`)
  const problems = await service.stop()
  for (const problem of problems) note(output, describeError(problem, output.json))
  note(output, 'stopped')
  if (problems.length > 0) process.exitCode = EXIT.failure
}
