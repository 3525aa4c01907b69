import type { Command } from 'commander'
import { createProgram } from './program.ts'

const WIDTH = 110
/** Commands that take every option of a configuration as a flag, and its page. */
const CONFIGURED: Readonly<Record<string, string>> = {
  up: 'config.md',
  front: 'config-front.md',
  worker: 'config-worker.md',
  recorder: 'config-recorder.md',
  migrate: 'config-migrate.md',
}

/** Help of a command as it is printed, whatever terminal this runs in. */
export const helpOf = (command: Command): string => {
  let text = ''
  command.configureHelp({ helpWidth: WIDTH }).configureOutput({
    writeOut: (words) => {
      text += words
    },
  })
  command.outputHelp()
  return text.replaceAll(/[ \t]+$/gm, '').trimEnd()
}

/** The help of every command as a page of Markdown. Flags that are those of a configuration stand there. */
export const commandDocs = async (): Promise<string> => {
  const program = await createProgram([])
  const parts = [`\`\`\`\n${helpOf(program)}\n\`\`\``]
  const add = (command: Command, path: string): void => {
    for (const sub of command.commands) {
      const name = `${path} ${sub.name()}`
      if (sub.name() === 'help') continue
      parts.push(`## ${name}\n\n\`\`\`\n${helpOf(sub)}\n\`\`\``)
      const page = CONFIGURED[sub.name()]
      if (page !== undefined) parts.push(`Every option of the [configuration](${page}) is a flag too.`)
      add(sub, name)
    }
  }
  add(program, 'plumbline')
  return `${parts.join('\n\n')}\n`
}
