import { loadWorkerConfig, startWorkerService, WorkerConfig } from '@plumbline/worker/service'
import type { Command } from 'commander'
import type { Output } from '../output.ts'
import { addConfigFlags } from './flags.ts'
import { runMember } from './member.ts'

/** Adds the options of `worker`; its module is only loaded when they are needed. */
export const describeWorker = (command: Command): void => addConfigFlags(command, WorkerConfig)

export const worker = (command: Command, output: Output): Promise<void> =>
  runMember(command, output, { name: 'worker', schema: WorkerConfig, load: loadWorkerConfig, start: startWorkerService })
