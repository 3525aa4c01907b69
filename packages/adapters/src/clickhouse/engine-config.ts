import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const DATABASE = 'plumbline'

/** owner migrates and erases; recorder reads and inserts; reader only reads, within limits. */
export type EngineRole = 'owner' | 'recorder' | 'reader'

export interface EngineLimits {
  /** Most memory the engine may use, bytes. */
  readonly memoryBytes: number
  /** Threads per query. */
  readonly threads: number
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

const user = (name: EngineRole, password: string, profile: string, grants: readonly string[]): string =>
  `<${name}><password_sha256_hex>${sha256(password)}</password_sha256_hex><networks><ip>127.0.0.1</ip></networks><profile>${profile}</profile>` +
  (grants.length === 0
    ? '<access_management>1</access_management>'
    : `<grants>${grants.map((grant) => `<query>${grant}</query>`).join('')}</grants>`) +
  `</${name}>`

/**
 * The engine's own session always is the user `default` without a password, and whoever reaches the port could be that user
 * too. It may open the listener and sleep, and its quota is used up by that: otherwise any process on this machine, and any
 * page in a browser on it, could close the listener (one grant opens and closes it). Queries of no table are not counted
 * (`SELECT sleep(3)`): of those one may run at a time, so that they cannot take all the queries there may be.
 */
const STARTER_QUERIES = 2

/** Users of the engine. */
const usersXml = (passwords: Readonly<Record<EngineRole, string>>, limits: EngineLimits): string => `<clickhouse>
  <profiles>
    <default><max_threads>${limits.threads}</max_threads></default>
    <starter><max_threads>1</max_threads><max_memory_usage>50000000</max_memory_usage><max_concurrent_queries_for_user>1</max_concurrent_queries_for_user></starter>
    <reader>
      <readonly>2</readonly>
      <max_threads>${limits.threads}</max_threads>
      <max_execution_time>30</max_execution_time>
      <max_memory_usage>${Math.floor(limits.memoryBytes / 2)}</max_memory_usage>
      <max_result_rows>1000000</max_result_rows>
      <max_result_bytes>268435456</max_result_bytes>
      <constraints>
        <max_execution_time><min>1</min><max>60</max></max_execution_time>
        <max_memory_usage><min>1</min><max>${Math.floor(limits.memoryBytes / 2)}</max></max_memory_usage>
        <max_result_rows><min>1</min><max>1000000</max></max_result_rows>
        <max_result_bytes><min>1</min><max>268435456</max></max_result_bytes>
        <max_threads><min>1</min><max>${limits.threads}</max></max_threads>
      </constraints>
    </reader>
  </profiles>
  <quotas>
    <default></default>
    <starter><interval><duration>2147483647</duration><queries>${STARTER_QUERIES}</queries></interval></starter>
  </quotas>
  <users>
    <default><no_password/><networks><ip>::1</ip></networks><profile>starter</profile><quota>starter</quota>
      <grants><query>GRANT SYSTEM LISTEN ON *.*</query><query>GRANT SELECT ON system.numbers</query></grants></default>
    ${user('owner', passwords.owner, 'default', [])}
    ${user('recorder', passwords.recorder, 'default', [`GRANT SELECT, INSERT ON ${DATABASE}.*`])}
    ${user('reader', passwords.reader, 'reader', [`GRANT SELECT ON ${DATABASE}.*`])}
  </users>
</clickhouse>`

/** Writes the engine's configuration (readable by its owner only) and returns the path of its main file. */
export const writeConfig = (dir: string, passwords: Readonly<Record<EngineRole, string>>, limits: EngineLimits): string => {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const users = join(dir, 'users.xml')
  const config = join(dir, 'config.xml')
  writeFileSync(users, usersXml(passwords, limits), { mode: 0o600 })
  writeFileSync(
    config,
    `<clickhouse>
  <users_config>${users}</users_config>
  <max_server_memory_usage>${limits.memoryBytes}</max_server_memory_usage>
  <max_concurrent_queries>32</max_concurrent_queries>
  <background_pool_size>2</background_pool_size>
  <background_merges_mutations_concurrency_ratio>2</background_merges_mutations_concurrency_ratio>
  <background_schedule_pool_size>4</background_schedule_pool_size>
  <mark_cache_size>67108864</mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <timezone>UTC</timezone>
  <shutdown_wait_unfinished>1</shutdown_wait_unfinished>
  <keep_alive_timeout>3</keep_alive_timeout>
</clickhouse>`,
    { mode: 0o600 },
  )
  return config
}
