import {
  connect,
  migrate as migrateTables,
  migrationsDir,
  readMigrations,
  type Retention,
  retentionOf,
  type Store,
} from '@plumbline/adapters/clickhouse'
import { PlumblineError } from '@plumbline/schemas'
import type { Command } from 'commander'
import { type Output, report } from '../output.ts'
import { openStore } from '../store.ts'
import { addConfigFlags, givenFlags } from '../up/flags.ts'
import { variablesOfOthers } from '../up/variables.ts'
import { migrateCluster, type ClusterState } from './cluster.ts'
import { loadMigrateConfig, MigrateConfig } from './config.ts'

/** Adds the options of `migrate`; its module is only loaded when they are needed. */
export const describeMigrate = (command: Command): void => addConfigFlags(command, MigrateConfig)

interface Flags {
  readonly config?: string
  readonly clickhouse?: string
  readonly dryRun?: boolean
}

const tables = async (store: Store, dryRun: boolean, retention: Retention | undefined): Promise<readonly string[]> => {
  if (!dryRun) return migrateTables(store, retention === undefined ? {} : { retention })
  const applied = await store.rows<{ name: string }>(`SELECT name FROM ${store.database}.migrations`).catch(() => [])
  const names = new Set(applied.map(({ name }) => name))
  return readMigrations(migrationsDir())
    .map(({ name }) => name)
    .filter((name) => !names.has(name))
}

const wordsOf = (done: readonly string[], kinds: string, dryRun: boolean): string => {
  if (done.length === 0) return `${kinds}: up to date`
  return `${kinds}: ${dryRun ? 'would make' : 'made'} ${done.join(', ')}`
}

const unanswered = (url: string, topicsMade: boolean): PlumblineError => {
  const rest = topicsMade ? ' The topics are made and checked already; what is left are the tables.' : ''
  const remedy = 'Check CLICKHOUSE_URL (or --clickhouse), the server and the way to it, and run plumbline migrate again.'
  return new PlumblineError('STORE_UNAVAILABLE', `ClickHouse at ${url} does not answer.${rest} ${remedy}`, { retryable: true })
}

/** Brings the store up to this version, and with Kafka the topics and what every process of the deployment must agree on. */
export const migrate = async (command: Command, output: Output): Promise<void> => {
  const { config: file, clickhouse, dryRun = false } = command.opts<Flags>()
  const flags = { ...givenFlags(command, MigrateConfig), ...(clickhouse === undefined ? {} : { clickhouseUrl: clickhouse }) }
  const ignoreEnv = await variablesOfOthers(MigrateConfig, process.env)
  const { config } = loadMigrateConfig({ file, env: process.env, flags, ignoreEnv })
  const { kafkaBrokers, clickhouseUrl, dataDir } = config
  let cluster: ClusterState | null = null
  // First, because it says at once when key or shards are other ones.
  if (kafkaBrokers !== undefined) cluster = await migrateCluster({ ...config, kafkaBrokers }, dryRun)
  const access = await openStore({ dataDir, ...(clickhouseUrl === undefined ? {} : { clickhouse: clickhouseUrl }) }, 'owner')
  const store = connect(access)
  try {
    if (!(await store.ping())) throw unanswered(access.url, cluster !== null && !dryRun)
    // An instance of one process sets its own retention when it starts.
    const retention = cluster === null ? undefined : retentionOf(config)
    const done = await tables(store, dryRun, retention)
    const words = [
      ...(cluster === null ? [] : [wordsOf(cluster.topics, 'topics', dryRun)]),
      wordsOf(done, 'tables', dryRun),
      ...(cluster === null || cluster.deployment === null ? [] : [`deployment: ${cluster.deployment}`]),
    ]
    await report(output, { [dryRun ? 'pending' : 'applied']: done, ...cluster }, words.join('\n'))
  } finally {
    await store.close()
    await access.close()
  }
}
