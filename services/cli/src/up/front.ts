import { FrontConfig, loadFrontConfig, startFront } from '@plumbline/standalone/front'
import type { Command } from 'commander'
import type { Output } from '../output.ts'
import { addConfigFlags } from './flags.ts'
import { serve } from './serve.ts'

/** Adds the options of `front`; its module is only loaded when they are needed. */
export const describeFront = (command: Command): void => addConfigFlags(command, FrontConfig)

export const front = (command: Command, output: Output): Promise<void> =>
  serve(command, output, { schema: FrontConfig, load: loadFrontConfig, start: startFront }, { open: false, told: 'when up' })
