import { loadRecorderConfig, RecorderConfig } from '@plumbline/recorder/config'
import { startRecorder } from '@plumbline/recorder/process'
import type { Command } from 'commander'
import type { Output } from '../output.ts'
import { addConfigFlags } from './flags.ts'
import { runMember } from './member.ts'

/** Adds the options of `recorder`; its module is only loaded when they are needed. */
export const describeRecorder = (command: Command): void => addConfigFlags(command, RecorderConfig)

export const recorder = (command: Command, output: Output): Promise<void> =>
  runMember(command, output, { name: 'recorder', schema: RecorderConfig, load: loadRecorderConfig, start: startRecorder })
