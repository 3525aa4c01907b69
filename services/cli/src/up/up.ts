import { loadStandaloneConfig, startStandalone, StandaloneConfig } from '@plumbline/standalone'
import { printConfig } from '@plumbline/runtime'
import type { Command } from 'commander'
import { type Output, note, write } from '../output.ts'
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
  const service = await startStandalone(loaded.config)
  const link = `${service.url}/#token=${encodeURIComponent(service.token)}`
  const words = [`Plumbline is at ${link}`, 'Stop with Ctrl-C.'].join('\n')
  await write(output.out, output.json ? `${JSON.stringify({ url: service.url, link })}\n` : `${words}\n`)
  if (open ?? somebodyLooks()) openBrowser(link, loaded.config.dataDir)
  const signal = await stopped
  note(output, `${signal}: stopping`)
  await service.stop()
  note(output, 'stopped')
}
