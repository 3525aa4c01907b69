import type { Command } from 'commander'
import { examples, type Register } from '../register.ts'

/** As `up`, one flag per option of its configuration. */
export const registerRecorder: Register = (program, outputOf) => {
  const command = program
    .command('recorder')
    .description(
      'Store what workers put out in ClickHouse, for a deployment on Kafka. Any number: they share the lanes out. Serves metrics and health.',
    )
    .option('--config <file>', 'options in YAML or JSON; flags win over environment variables, those over the file')
    .addHelpText(
      'after',
      examples(
        'plumbline recorder --kafka-brokers kafka:9092 --clickhouse-url http://plumbline_recorder:password@clickhouse:8123',
        'plumbline recorder --config recorder.yaml',
      ),
    )
    .action(async (_flags: unknown, self: Command) => {
      const { recorder } = await import('../up/recorder.ts')
      await recorder(self, outputOf(self))
    })
  return async () => {
    const { describeRecorder } = await import('../up/recorder.ts')
    describeRecorder(command)
  }
}
