/** What the tests of recorders over Kafka share: topics filled as workers fill them, and the comparison with ClickHouse. */
import { fileURLToPath } from 'node:url'
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Store } from '@plumbline/adapters/clickhouse'
import { ensureDeployment } from '@plumbline/adapters/kafka'
import { type AlertCapsule, type DeadLetter, SCORED_SCHEMA_VERSION } from '@plumbline/schemas'
import type { RecorderPoint } from '../../services/recorder/src/index.ts'
import { splitScoredRows } from '../../services/recorder/src/row-binary.ts'
import { commitTo } from '../compliance/shard-log.ts'
import { type Cluster, SHARDS, event } from '../support/kafka/cluster.ts'
import { readCommitted } from '../support/kafka/topics.ts'
import { alertOf, encodeRow } from './chain.ts'

/** Old on purpose: nothing may expire because an event is old. */
export const EVENT_TIME = Date.UTC(2019, 5, 1)
export const ROWS = 20

const identity = (shard: number): string => `agent-${shard}`

const alertAt = (shard: number, offset: number) =>
  alertOf({ shard, offset, identity: identity(shard), chain: `c${offset}`, alert: true }, EVENT_TIME)

const capsuleAt = (shard: number, offset: number): AlertCapsule => ({
  v: 1,
  alertId: alertAt(shard, offset).id,
  revision: 1,
  replay: alertAt(shard, offset).replay,
  ingestTime: EVENT_TIME,
  event: '',
  slot: '',
  score: 1,
  features: [],
})

const letterAt = (shard: number, offset: number): DeadLetter => ({
  v: 1,
  stage: 'decode',
  code: 'JSON_SYNTAX',
  field: '',
  message: 'refused',
  tenant: 'faults',
  topic: 'events',
  shard,
  offset,
  ingestTime: EVENT_TIME,
  payload: '',
})

/** A deployment, and chunks as workers store them: so many per shard, each with rows, an alert, its capsule and a dead letter. */
export const fill = async (cluster: Cluster, chunks: number): Promise<{ more(chunks: number): Promise<void> }> => {
  await ensureDeployment(await cluster.values(), { shards: SHARDS, masterKey: Buffer.alloc(32, 1) })
  const log = await cluster.open({ compression: 'zstd' })
  const shards = Array.from({ length: SHARDS }, (_, shard) => shard)
  const next = new Map(shards.map((shard) => [shard, 0]))
  for (const shard of shards) await log.acquire(shard)
  const commit = async (shard: number): Promise<void> => {
    const first = next.get(shard)!
    await log.append(Array.from({ length: ROWS + 1 }, (_, i) => event(shard, `${first + i}`, EVENT_TIME)))
    const rows = Array.from({ length: ROWS }, (_, i) =>
      encodeRow({ shard, offset: first + i, identity: identity(shard), chain: `${shard}-${first + i}`, alert: i === 0 }, EVENT_TIME),
    )
    const scored = {
      schemaVersion: SCORED_SCHEMA_VERSION,
      firstOffset: first,
      lastOffset: first + ROWS - 1,
      rows: ROWS,
      bytes: Buffer.concat(rows),
    }
    const part = {
      scored,
      alerts: [alertAt(shard, first)],
      capsules: [capsuleAt(shard, first)],
      deadLetters: [letterAt(shard, first + ROWS)],
    }
    await log.commit([commitTo(shard, first + ROWS + 1, part)])
    next.set(shard, first + ROWS + 1)
  }
  const more = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await Promise.all(shards.map((shard) => commit(shard)))
  }
  await more(chunks)
  return { more }
}

/** Tables by what makes a row of them one: what the topics hold, and what ClickHouse holds. */
interface Difference {
  readonly rows: number
  readonly lost: number
  /** Rows that are there more than once until parts are merged. */
  readonly doubled: number
  /** Rows that no topic knows of, or with other content. */
  readonly wrong: number
}

const KEYS = {
  scored_events: "concat(toString(shard), ':', toString(offset), ' ', event_id)",
  alerts: "concat(id, ' ', toString(revision))",
  capsules: "concat(alert_id, ' ', toString(revision))",
  dead_letters: "concat(stage, ' ', toString(shard), ':', toString(offset))",
} as const
type Compared = keyof typeof KEYS

const truthOf = async ({ kafka, names }: Cluster): Promise<Readonly<Record<Compared, readonly string[]>>> => {
  const [scored, alerts, letters] = await Promise.all([
    readCommitted(kafka, names.scored),
    readCommitted(kafka, names.alerts),
    readCommitted(kafka, names['dead-letters']),
  ])
  const json = (messages: typeof alerts, prefix: string): Record<string, unknown>[] =>
    messages
      .filter(({ key }) => key?.toString().startsWith(prefix))
      .map(({ value }) => JSON.parse(String(value)) as Record<string, unknown>)
  return {
    scored_events: scored.flatMap(({ value, headers }) => {
      const shard = Number(headers?.['shard']?.toString())
      const first = Number(headers?.['offset']?.toString())
      return splitScoredRows(value!).rows.map((_, i) => `${shard}:${first + i} ${shard}-${first + i}`)
    }),
    alerts: json(alerts, 'a:').map((alert) => `${String(alert['id'])} ${String(alert['revision'])}`),
    capsules: json(alerts, 'k:').map((capsule) => `${String(capsule['alertId'])} ${String(capsule['revision'])}`),
    dead_letters: json(letters, 'd:').map((letter) => `${String(letter['stage'])} ${String(letter['shard'])}:${String(letter['offset'])}`),
  }
}

/** Compares every table with its topic, row by row. `merged`: as after ReplacingMergeTree has done its work. */
export const compare = async (cluster: Cluster, store: Store, merged = false): Promise<Record<Compared, Difference>> => {
  const truth = await truthOf(cluster)
  const differenceOf = async (table: Compared): Promise<Difference> => {
    const rows = await store.rows<{ key: string; n: number }>(
      `SELECT ${KEYS[table]} AS key, count() AS n FROM plumbline.${table} ${merged ? 'FINAL' : ''} GROUP BY key`,
    )
    const there = new Map(rows.map(({ key, n }) => [key, Number(n)]))
    const known = new Set(truth[table])
    return {
      rows: known.size,
      lost: [...known].filter((key) => !there.has(key)).length,
      doubled: [...there.values()].reduce((sum, n) => sum + n - 1, 0),
      wrong: [...there.keys()].filter((key) => !known.has(key)).length,
    }
  }
  const tables = Object.keys(KEYS) as Compared[]
  return Object.fromEntries(await Promise.all(tables.map(async (table) => [table, await differenceOf(table)]))) as Record<
    Compared,
    Difference
  >
}

export const truncate = async (store: Store): Promise<void> => {
  for (const table of [...Object.keys(KEYS), 'identities', 'recorder_positions']) await store.command(`TRUNCATE TABLE plumbline.${table}`)
}

export interface RecorderPlan {
  readonly brokers: readonly string[]
  readonly prefix: string
  readonly url: string
  readonly password: string
  readonly blockBytes: number
  /** Session of a member of the group that shares out lanes; null: the only recorder, on all lanes. */
  readonly sessionMs: number | null
  /** Sends itself a signal when it passes a point for the n-th time; as a member of a group, once it is armed. */
  readonly at: { readonly point: RecorderPoint; readonly hit: number; readonly signal: 'SIGKILL' | 'SIGSTOP' } | null
}

export interface RecorderChild {
  readonly child: ChildProcess
  readonly lines: readonly string[]
  /** Resolves when a line begins so, also one that has come already. */
  line(begins: string): Promise<void>
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>
  arm(): void
  /** Stops it in good order. */
  stop(): Promise<void>
}

/** A recorder in a process of its own, that shares out lanes with others. */
export const startRecorderChild = (plan: RecorderPlan): RecorderChild => {
  const child = spawn(process.execPath, [fileURLToPath(new URL('recorder-child.ts', import.meta.url)), JSON.stringify(plan)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  let come = (): void => {}
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  createInterface(child.stdout!).on('line', (line) => {
    lines.push(line)
    come()
  })
  return {
    child,
    lines,
    ended,
    async line(begins) {
      while (!lines.some((line) => line.startsWith(begins))) {
        await new Promise<void>((resolve, reject) => {
          const before = come
          come = () => (before(), resolve())
          void ended.then(() => reject(new Error(`The recorder ended before it said ${begins}: ${lines.slice(-5).join(' | ')}`)))
        })
      }
    },
    arm: () => void child.stdin!.write('arm'),
    async stop() {
      child.stdin!.end()
      await ended
    },
  }
}
