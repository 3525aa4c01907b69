import type { Command } from 'commander'
import { type Output, write } from '../output.ts'
import { examples, type Register } from '../register.ts'
import { askStore, openStore, type StoreAccess, type StoreFlags } from '../store.ts'

interface Flags extends StoreFlags {
  readonly format?: string
}

export const registerQuery: Register = (program, outputOf) => {
  program
    .command('query')
    .description(
      'Ask the store: scored_events, alerts, identities, dead_letters, releases, feedback, audit. Reads only. docs/store.md has the columns and what their numbers stand for.',
    )
    .argument('<sql>', 'a SELECT in ClickHouse SQL')
    .option('--format <name>', 'a ClickHouse output format (default: a table on a terminal, else TSVWithNames; with --json JSONEachRow)')
    .option('--data-dir <folder>', 'data folder (default: PLUMBLINE_DATA_DIR or data)')
    .option('--clickhouse <url>', 'a server instead of the embedded store (default: CLICKHOUSE_URL)')
    .addHelpText(
      'after',
      examples(
        'plumbline query "SELECT identity, max(score) AS worst FROM scored_events GROUP BY identity ORDER BY worst DESC LIMIT 10"',
        'plumbline query "DESCRIBE scored_events"',
        'plumbline query --json "SELECT code, count() AS n FROM dead_letters GROUP BY code"',
      ),
    )
    .action(async (sql: string, flags: Flags, command: Command) => {
      const output = outputOf(command)
      const store = await openStore(flags, 'reader')
      try {
        await ask(store, sql, flags.format ?? defaultFormat(output), output)
      } finally {
        await store.close()
      }
    })
}

const defaultFormat = (output: Output): string => {
  if (output.json) return 'JSONEachRow'
  return (output.out as NodeJS.WriteStream).isTTY === true ? 'PrettyCompactMonoBlock' : 'TSVWithNames'
}

const ask = async (store: StoreAccess, sql: string, format: string, output: Output): Promise<void> => {
  const { body } = await askStore(store, sql, format)
  if (body === null) return
  for await (const chunk of body) await write(output.out, chunk as Uint8Array)
}
