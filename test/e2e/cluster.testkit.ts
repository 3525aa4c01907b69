import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connect, type Engine, type EngineRole, type Store, startEngine } from '@plumbline/adapters/clickhouse'
import type { Kafka } from 'kafkajs'
import { removeTopics, testKafka, uniquePrefix } from '../support/kafka/topics.ts'
import { type Ended, until } from './instance.testkit.ts'

const MAIN = fileURLToPath(new URL('../../services/cli/src/main.ts', import.meta.url))

/** One process of the cluster, as a user starts it. */
export interface Process {
  readonly name: string
  readonly pid: number
  /** The end of what it printed. */
  output(): string
  signal(name: NodeJS.Signals): Promise<Ended>
  readonly ended: Promise<Ended>
}

/** A deployment of its own on a broker that others use too, and a ClickHouse of its own. */
export interface ClusterRig {
  readonly kafka: Kafka
  readonly prefix: string
  readonly dir: string
  /** The store with the rights of a role. */
  store(role: EngineRole): Store
  /** Starts a command with the options that all processes share. */
  start(command: string, env?: Readonly<Record<string, string>>): Process
  /** The end of what each process printed: for a test that failed. */
  printed(): string
  url(role: EngineRole): string
  close(): Promise<void>
}

const OWN = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('PLUMBLINE_') && !name.startsWith('CLICKHOUSE_')),
)
const OUTPUT_BYTES = 20_000

const launch = (command: string, env: Readonly<Record<string, string>>, cwd: string): Process => {
  const words = command.split(' ').filter((word) => word !== '')
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...words], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...OWN, ...env },
  })
  let output = ''
  const take = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-OUTPUT_BYTES)
  }
  child.stdout.on('data', take)
  child.stderr.on('data', take)
  const ended = new Promise<Ended>((resolve) => child.once('close', (code, signal) => resolve({ code, signal })))
  return {
    name: command,
    pid: child.pid ?? 0,
    output: () => output,
    signal(name) {
      child.kill(name)
      return ended
    },
    ended,
  }
}

/** Resolves when a process answers that it is ready; fails with what it printed when it ends before. */
export const untilReady = async (process: Process, url: string, limitMs: number): Promise<void> => {
  let ended = false
  void process.ended.then(() => (ended = true))
  try {
    await until(`${process.name} to be ready`, limitMs, async () => {
      if (ended) return true
      return (await fetch(url)).ok
    })
  } catch (cause) {
    throw new Error(`${process.name} is not ready: ${process.output()}`, { cause })
  }
  if (ended) throw new Error(`${process.name} ended: ${process.output()}`)
}

const urlOf = (engine: Engine, role: EngineRole): string => {
  const url = new URL(engine.url)
  url.username = role
  url.password = engine.passwords[role]
  url.pathname = '/plumbline'
  return url.href
}

export const startRig = async (brokers: readonly string[], shards: number): Promise<ClusterRig> => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-cluster-'))
  const engine = await startEngine({ dir: join(dir, 'clickhouse') })
  const kafka = testKafka(brokers)
  const prefix = uniquePrefix('cluster')
  const processes: Process[] = []
  const stores = new Map<EngineRole, Store>()
  const common = {
    PLUMBLINE_KAFKA_BROKERS: brokers.join(','),
    PLUMBLINE_KAFKA_PREFIX: prefix,
    PLUMBLINE_SHARDS: String(shards),
    PLUMBLINE_MASTER_KEY: randomBytes(32).toString('hex'),
  }
  const cwd = join(dir, 'work')
  mkdirSync(cwd)
  return {
    kafka,
    prefix,
    dir,
    url: (role) => urlOf(engine, role),
    store(role) {
      let store = stores.get(role)
      if (store === undefined)
        stores.set(role, (store = connect({ url: engine.url, user: role, password: engine.passwords[role], database: 'plumbline' })))
      return store
    },
    start(command, env = {}) {
      const process = launch(command, { ...common, ...env }, cwd)
      processes.push(process)
      return process
    },
    printed: () => processes.map((process) => `--- ${process.name} (${process.pid})\n${process.output()}`).join('\n'),
    async close() {
      for (const process of processes) await process.signal('SIGKILL')
      for (const store of stores.values()) await store.close()
      await engine.stop()
      await removeTopics(kafka, prefix)
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
