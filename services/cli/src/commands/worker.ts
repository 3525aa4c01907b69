import type { Command } from 'commander'
import { examples, type Register } from '../register.ts'

/** As `up`, one flag per option of its configuration. */
export const registerWorker: Register = (program, outputOf) => {
  const command = program
    .command('worker')
    .description('Score the events of a deployment on Kafka: takes its part of the shards. Any number of them side by side.')
    .option('--config <file>', 'options in YAML or JSON; flags win over environment variables, those over the file')
    .addHelpText(
      'after',
      examples('plumbline worker --kafka-brokers kafka:9092 --master-key-file master.key', 'plumbline worker --config worker.yaml'),
    )
    .action(async (_flags: unknown, self: Command) => {
      const { worker } = await import('../up/worker.ts')
      await worker(self, outputOf(self))
    })
  return async () => {
    const { describeWorker } = await import('../up/worker.ts')
    describeWorker(command)
  }
}
