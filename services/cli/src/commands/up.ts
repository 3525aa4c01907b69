import type { Command } from 'commander'
import { examples, type Register } from '../register.ts'

/** `up` has one flag per option of the configuration; they are read from its declaration only when `up` is asked for. */
export const registerUp: Register = (program, outputOf) => {
  const command = program
    .command('up')
    .description('Run everything in one process: HTTP door, detector, store, page. Stops on Ctrl-C or SIGTERM.')
    .option('--config <file>', 'options in YAML or JSON; flags win over environment variables, those over the file')
    .option('--open', 'open the page in a browser (default: when a person starts it from a terminal)')
    .option('--no-open', 'do not')
    .addHelpText(
      'after',
      examples(
        'plumbline up',
        'plumbline up --http-port 8080 --data-dir /var/lib/plumbline --no-demo',
        'plumbline up --config plumbline.yaml',
      ),
    )
    .action(async (_flags: unknown, self: Command) => {
      const { up } = await import('../up/up.ts')
      await up(self, outputOf(self))
    })
  return async () => {
    const { describeUp } = await import('../up/up.ts')
    describeUp(command)
  }
}
