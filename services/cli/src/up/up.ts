import { loadStandaloneConfig, startStandalone, StandaloneConfig } from '@plumbline/standalone'
import type { Command } from 'commander'
import type { Output } from '../output.ts'
import { somebodyLooks } from './browser.ts'
import { addConfigFlags } from './flags.ts'
import { serve } from './serve.ts'

/** Adds the options of `up`; its module is only loaded when they are needed. */
export const describeUp = (command: Command): void => addConfigFlags(command, StandaloneConfig)

/** Runs everything in this process. */
export const up = (command: Command, output: Output): Promise<void> => {
  const open = command.opts<{ open?: boolean }>().open ?? somebodyLooks()
  return serve(
    command,
    output,
    { schema: StandaloneConfig, load: loadStandaloneConfig, start: startStandalone },
    { open, told: 'when listening' },
  )
}
