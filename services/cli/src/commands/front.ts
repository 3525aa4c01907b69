import type { Command } from 'commander'
import { examples, type Register } from '../register.ts'

/** As `up`, one flag per option of its configuration. */
export const registerFront: Register = (program, outputOf) => {
  const command = program
    .command('front')
    .description('Run the door, the page, delivery of alerts, training and the policy file of a deployment on Kafka. One per deployment.')
    .option('--config <file>', 'options in YAML or JSON; flags win over environment variables, those over the file')
    .addHelpText(
      'after',
      examples(
        'plumbline front --kafka-brokers kafka:9092 --clickhouse-url http://reader:password@clickhouse:8123 --master-key-file master.key',
        'plumbline front --config front.yaml',
      ),
    )
    .action(async (_flags: unknown, self: Command) => {
      const { front } = await import('../up/front.ts')
      await front(self, outputOf(self))
    })
  return async () => {
    const { describeFront } = await import('../up/front.ts')
    describeFront(command)
  }
}
