import { type ConfigSources, type LoadedConfig, printConfig } from '@plumbline/runtime'
import type { PlumblineError } from '@plumbline/schemas'
import type { Command } from 'commander'
import type { z } from 'zod'
import { EXIT } from '../exit.ts'
import { describeError, type Output, note } from '../output.ts'
import { givenFlags } from './flags.ts'
import { endSoon, startedBy, untilSignal } from './serve.ts'
import { variablesOfOthers } from './variables.ts'

/** A process of a cluster that has no door, only metrics and health, and how it is configured. */
export interface Member<C> {
  readonly name: string
  readonly schema: z.ZodObject
  load(sources: ConfigSources): LoadedConfig<C>
  start(config: C): Promise<{ readonly metricsUrl: string; stop(): Promise<readonly PlumblineError[]> }>
}

/** Runs a process until a signal; exit code 0 when it stopped in good order. */
export const runMember = async <C>(command: Command, output: Output, { name, schema, load, start }: Member<C>): Promise<void> => {
  const { config: file } = command.opts<{ config?: string }>()
  const ignoreEnv = await variablesOfOthers(schema, process.env)
  const loaded = load({ file, env: process.env, flags: givenFlags(command, schema), ignoreEnv })
  note(output, printConfig(loaded))
  if (ignoreEnv.length > 0) note(output, `of other processes, not read here: ${ignoreEnv.join(', ')}`)
  const stopped = untilSignal()
  const service = await startedBy(start(loaded.config), stopped)
  const words = `Plumbline ${name} is up; metrics and health at ${service.metricsUrl}\nStop with Ctrl-C.`
  output.out.write(output.json ? `${JSON.stringify({ name, metricsUrl: service.metricsUrl })}\n` : `${words}\n`)
  const signal = await stopped
  note(output, `${signal}: stopping`)
  const problems = await service.stop()
  for (const problem of problems) note(output, describeError(problem, output.json))
  note(output, 'stopped')
  if (problems.length > 0) process.exitCode = EXIT.failure
  endSoon()
}
