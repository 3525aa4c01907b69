import { PlumblineError } from '@plumbline/schemas'
import type { Command } from 'commander'
import { report } from '../output.ts'
import { examples, type Register } from '../register.ts'
import { openStore, type StoreFlags } from '../store.ts'

export const registerMigrate: Register = (program, outputOf) => {
  program
    .command('migrate')
    .description('Bring the tables of the store up to this version. Run it from one place; up does it by itself for the embedded store.')
    .option('--data-dir <folder>', 'data folder (default: PLUMBLINE_DATA_DIR or data)')
    .option('--clickhouse <url>', 'a server instead of the embedded store (default: CLICKHOUSE_URL)')
    .option('--dry-run', 'only say what would be applied')
    .addHelpText('after', examples('plumbline migrate --clickhouse http://user:password@clickhouse:8123', 'plumbline migrate --dry-run'))
    .action(async (flags: StoreFlags & { dryRun?: boolean }, command: Command) => {
      const output = outputOf(command)
      const { connect, migrate, migrationsDir, readMigrations } = await import('@plumbline/adapters/clickhouse')
      const access = await openStore(flags, 'owner')
      const store = connect(access)
      try {
        if (!(await store.ping()))
          throw new PlumblineError('STORE_UNAVAILABLE', `ClickHouse at ${access.url} does not answer`, { retryable: true })
        const known = readMigrations(migrationsDir()).map((m) => m.name)
        if (flags.dryRun === true) {
          const applied = await store.rows<{ name: string }>(`SELECT name FROM ${store.database}.migrations`).catch(() => [])
          const names = new Set(applied.map((a) => a.name))
          const pending = known.filter((name) => !names.has(name))
          return await report(output, { pending }, pending.length === 0 ? 'nothing to apply' : `would apply ${pending.join(', ')}`)
        }
        const applied = await migrate(store)
        await report(output, { applied }, applied.length === 0 ? `up to date: ${known.length} migrations` : `applied ${applied.join(', ')}`)
      } finally {
        await store.close()
        await access.close()
      }
    })
}
