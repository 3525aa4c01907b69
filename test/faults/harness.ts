import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Store } from '@plumbline/adapters/clickhouse'
import { openEmbeddedLog } from '@plumbline/adapters/lmdb'
import type { LogRecord } from '@plumbline/detector'
import { type ChainRow, identityOf, oracle, slotKeyOf } from './chain.ts'
import type { ChildPlan } from './child.ts'
import { BATCH, SHARDS, batchOf } from './plan.ts'

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url))

export interface ChildResult {
  readonly fired: string | null
  readonly acked: readonly number[]
  readonly done: boolean
  readonly lines: readonly string[]
}

/** Runs one child to its end; `onLine` sees its output as it comes and may act on its process id. */
export const runChild = (
  plan: ChildPlan,
  onLine: (line: string, pid: number) => void = () => {},
  timeoutMs = 60_000,
): Promise<ChildResult> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CHILD, JSON.stringify(plan)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      // Dozens of short processes: most of their time would go into loading the same sources.
      env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'plumbline-compile-cache') },
    })
    const lines: string[] = []
    let rest = ''
    let errors = ''
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`The child hung at point ${plan.point}: ${lines.slice(-5).join(' | ')} ${errors.slice(-500)}`))
    }, timeoutMs)
    child.stderr.on('data', (chunk) => (errors += chunk))
    child.stdout.on('data', (chunk) => {
      const parts = (rest + chunk).split('\n')
      rest = parts.pop() ?? ''
      for (const line of parts) {
        lines.push(line)
        onLine(line, child.pid ?? 0)
      }
    })
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      if (signal !== 'SIGKILL' && code !== 0) return reject(new Error(`The child failed (${code}): ${errors.slice(-2_000)}`))
      resolve({
        fired: lines.find((line) => line.startsWith('fired '))?.slice(6) ?? (signal === 'SIGKILL' ? 'outside' : null),
        acked: lines.filter((line) => line.startsWith('ack ')).map((line) => Number(line.slice(4))),
        done: lines.at(-1) === 'done',
        lines,
      })
    })
  })

/** What differs from the truth; all zero in a good run. */
export interface Verdict {
  readonly events: number
  readonly alerts: number
  readonly lost: number
  readonly doubled: number
  readonly wrong: number
  readonly alertsWrong: number
  readonly lettersWrong: number
  readonly stateWrong: number
  readonly requestsLostOrDoubled: number
}

export const readAll = async (log: Awaited<ReturnType<typeof openEmbeddedLog>>, shard: number): Promise<LogRecord[]> => {
  const all: LogRecord[] = []
  for (;;) {
    const some = await log.read(shard, all.length, 1_000)
    if (some.length === 0) return all
    all.push(...some)
  }
}

const key = (row: { shard: number; offset: number }): string => `${row.shard}:${row.offset}`

export const sameSet = (expected: readonly string[], found: readonly string[]): number => {
  const counts = new Map<string, number>()
  for (const each of expected) counts.set(each, (counts.get(each) ?? 0) + 1)
  for (const each of found) counts.set(each, (counts.get(each) ?? 0) - 1)
  return [...counts.values()].reduce((sum, count) => sum + Math.abs(count), 0)
}

/** Compares log, state and ClickHouse with what the oracle computes from the log, without any help of merging. */
export const judge = async (dir: string, seed: number, batches: number, store: Store): Promise<Verdict> => {
  const log = await openEmbeddedLog({ dir, shards: SHARDS })
  const expected: ChainRow[] = []
  const refused: string[] = []
  const values: string[] = []
  let stateWrong = 0
  for (let shard = 0; shard < SHARDS; shard++) {
    const records = await readAll(log, shard)
    values.push(...records.map((record) => `${identityOf(record)} ${Buffer.from(record.value).toString()}`))
    const truth = oracle(shard, records)
    expected.push(...truth.rows)
    refused.push(...truth.refused.map((offset) => key({ shard, offset })))
    const into = Buffer.alloc(64)
    for (const [identity, chain] of truth.slots) {
      const length = log.load(shard, slotKeyOf(identity), into)
      if (length < 0 || into.subarray(0, length).toString('hex') !== chain) stateWrong++
    }
    const { nextOffset, meta } = await log.acquire(shard)
    if (nextOffset !== records.length || Buffer.from(meta.get('seen') ?? []).toString() !== String(records.length || '')) stateWrong++
  }
  await log.close()
  const sent = Array.from({ length: batches }, (_, batch) => batchOf(seed, batch)).flat()
  const requests = sameSet(
    sent.map((record) => `${Buffer.from(record.key).toString().slice(2)} ${Buffer.from(record.value).toString()}`),
    values,
  )
  return {
    events: batches * BATCH,
    alerts: expected.filter(({ alert }) => alert).length,
    ...(await judgeStore(store, expected, refused)),
    stateWrong,
    requestsLostOrDoubled: requests,
  }
}

const judgeStore = async (
  store: Store,
  expected: readonly ChainRow[],
  refused: readonly string[],
): Promise<Pick<Verdict, 'lost' | 'doubled' | 'wrong' | 'alertsWrong' | 'lettersWrong'>> => {
  const rows = await store.rows<{ shard: number; offset: number; event_id: string }>(
    'SELECT shard, offset, event_id FROM plumbline.scored_events',
  )
  const found = new Map<string, string[]>()
  for (const row of rows) found.set(key(row), [...(found.get(key(row)) ?? []), row.event_id])
  let lost = 0
  let doubled = 0
  let wrong = 0
  for (const row of expected) {
    const ids = found.get(key(row)) ?? []
    found.delete(key(row))
    if (ids.length === 0) lost++
    doubled += Math.max(0, ids.length - 1)
    if (ids.some((id) => id !== row.chain)) wrong++
  }
  const alerts = await store.rows<{ id: string; headline: string }>('SELECT id, headline FROM plumbline.alerts')
  const capsules = await store.rows<{ id: string }>('SELECT alert_id AS id FROM plumbline.capsules')
  const letters = await store.rows<{ shard: number; offset: number }>('SELECT shard, offset FROM plumbline.dead_letters')
  const raised = expected.filter(({ alert }) => alert)
  return {
    lost,
    doubled,
    wrong: wrong + found.size,
    alertsWrong:
      sameSet(
        raised.map((row) => `alert-${row.identity}-${row.offset} ${row.chain}`),
        alerts.map(({ id, headline }) => `${id} ${headline}`),
      ) +
      sameSet(
        raised.map((row) => `alert-${row.identity}-${row.offset}`),
        capsules.map(({ id }) => id),
      ),
    lettersWrong: sameSet(refused, letters.map(key)),
  }
}
