import type { Command } from 'commander'
import { examples, type Register } from '../register.ts'

/** As `up`, one flag per option of its configuration. */
export const registerMigrate: Register = (program, outputOf) => {
  const command = program
    .command('migrate')
    .description(
      'Bring the tables of the store up to this version and, with --kafka-brokers, make and check the topics of a deployment on Kafka. Run it from one place, before its processes start; up does it by itself for the embedded store.',
    )
    .option('--config <file>', 'options in YAML or JSON; flags win over environment variables, those over the file')
    .option('--clickhouse <url>', 'the same as --clickhouse-url')
    .option('--dry-run', 'only say what would be made or applied')
    .addHelpText(
      'after',
      examples(
        'plumbline migrate --clickhouse http://user:password@clickhouse:8123',
        'plumbline migrate --kafka-brokers kafka:9092 --clickhouse http://owner:password@clickhouse:8123 --master-key-file master.key',
        'plumbline migrate --dry-run',
      ),
    )
    .action(async (_flags: unknown, self: Command) => {
      const { migrate } = await import('../migrate/migrate.ts')
      await migrate(self, outputOf(self))
    })
  return async () => {
    const { describeMigrate } = await import('../migrate/migrate.ts')
    describeMigrate(command)
  }
}
