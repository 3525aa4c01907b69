import type { Command } from 'commander'
import type { Output } from './output.ts'

/**
 * Adds a command to the program. Engines are imported when a command runs, so that `--help` is quick; what has to be
 * loaded before the command line can be read is done by the function it may return, only when that command is asked for.
 */
export type Register = (program: Command, output: (command: Command) => Output) => void | (() => Promise<void>)

/** Examples below a command's help. */
export const examples = (...lines: readonly string[]): string => `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`
