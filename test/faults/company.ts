import type { Store } from '@plumbline/adapters/clickhouse'
import { openEmbeddedLog } from '@plumbline/adapters/lmdb'
import { Detector, type LogRecord, type ShardProcessor, type SlotSource } from '@plumbline/detector'
import { type Alert, DEFAULT_DETECTION_CONFIG, SCORED_COLUMNS } from '@plumbline/schemas'
import { type Verdict, readAll, sameSet } from './harness.ts'
import { SHARDS, readCompany } from './plan.ts'

/** The floor is lowered so that a short stream has alerts to compare; a small residency makes eviction part of the test. */
export const createRealDetector = (slots: SlotSource, masterKey: Uint8Array): ShardProcessor =>
  new Detector({
    config: { ...DEFAULT_DETECTION_CONFIG, shards: SHARDS, tailFloor: 0.02 },
    masterKey: masterKey.subarray(0, 16),
    slots,
    releases: { artifact: () => undefined },
    residentSlots: 64,
    topic: 'events',
  })

/** Slots of the uninterrupted run, in memory. */
const memorySlots = (): SlotSource & { keep(shard: number, key: Uint8Array, bytes: Uint8Array): void } => {
  const slots = new Map<string, Uint8Array>()
  const name = (shard: number, key: Uint8Array): string => `${shard}:${Buffer.from(key).toString('hex')}`
  return {
    keep: (shard, key, bytes) => void slots.set(name(shard, key), bytes.slice()),
    load(shard, key, into) {
      const found = slots.get(name(shard, key))
      if (found === undefined) return -1
      into.set(found)
      return found.length
    },
  }
}

interface Truth {
  readonly blocks: Uint8Array[]
  readonly alerts: Alert[]
  readonly slots: Map<string, string>
}

/** One run without interruption over the same log, in chunks of another size: results may not depend on it (INV-1). */
const uninterrupted = (logs: readonly (readonly LogRecord[])[], masterKey: Uint8Array): Truth => {
  const memory = memorySlots()
  const detector = createRealDetector(memory, masterKey)
  const truth: Truth = { blocks: [], alerts: [], slots: new Map() }
  for (const [shard, records] of logs.entries()) {
    detector.open(shard, { nextOffset: 0, meta: new Map() })
    for (let at = 0; at < records.length; at += 333) {
      const commit = detector.process(shard, records.slice(at, at + 333))
      for (const slot of commit.slots) {
        memory.keep(shard, slot.key, slot.bytes)
        truth.slots.set(`${shard}:${Buffer.from(slot.key).toString('hex')}`, Buffer.from(slot.bytes).toString('hex'))
      }
      if (commit.scored !== null) truth.blocks.push(commit.scored.bytes.slice())
      truth.alerts.push(...commit.alerts)
      detector.settle(shard)
    }
  }
  return truth
}

/** Compares what survived the kills with an uninterrupted run: every column of every row, every alert, every slot. */
export const judgeCompany = async (dir: string, company: string, batches: number, store: Store): Promise<Verdict> => {
  const log = await openEmbeddedLog({ dir, shards: SHARDS })
  const logs = await Promise.all(Array.from({ length: SHARDS }, (_, shard) => readAll(log, shard)))
  const truth = uninterrupted(logs, log.masterKey)
  const stored = new Map(
    [...log.slots()].map(({ shard, key, bytes }) => [`${shard}:${Buffer.from(key).toString('hex')}`, Buffer.from(bytes).toString('hex')]),
  )
  await log.close()
  const stateWrong = [...truth.slots].filter(([key, bytes]) => stored.get(key) !== bytes).length + Math.abs(stored.size - truth.slots.size)
  const requests = readCompany(company)
  const sent = Array.from({ length: batches }, (_, batch) => requests(batch)).flat()
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()
  const requestsLostOrDoubled = sameSet(
    sent.map(({ value }) => text(value)),
    logs.flat().map(({ value }) => text(value)),
  )
  const alerts = await store.rows<{ alert: string }>('SELECT alert FROM plumbline.alerts')
  const alertsWrong = sameSet(
    truth.alerts.map((alert) => JSON.stringify(alert)),
    alerts.map(({ alert }) => alert),
  )
  return {
    events: sent.length,
    alerts: truth.alerts.length,
    ...(await compareRows(store, truth.blocks)),
    alertsWrong,
    lettersWrong: 0,
    stateWrong,
    requestsLostOrDoubled,
  }
}

const compareRows = async (store: Store, blocks: readonly Uint8Array[]): Promise<Pick<Verdict, 'lost' | 'doubled' | 'wrong'>> => {
  const columns = SCORED_COLUMNS.map(({ name }) => name)
  await store.command('CREATE TABLE plumbline.truth AS plumbline.scored_events ENGINE = MergeTree ORDER BY (shard, offset)')
  await store.insert({ table: 'truth', columns, format: 'RowBinary', bytes: blocks, token: 'truth' })
  const count = async (sql: string): Promise<number> => Number((await store.rows<{ n: number }>(sql))[0]?.n)
  const list = columns.map((name) => `\`${name}\``).join(', ')
  const but = (left: string, right: string): Promise<number> =>
    count(`SELECT count() AS n FROM (SELECT ${list} FROM plumbline.${left} EXCEPT SELECT ${list} FROM plumbline.${right})`)
  return {
    lost: await count(
      'SELECT count() AS n FROM (SELECT shard, offset FROM plumbline.truth EXCEPT SELECT shard, offset FROM plumbline.scored_events)',
    ),
    doubled: await count('SELECT count() - uniqExact(shard, offset) AS n FROM plumbline.scored_events'),
    wrong: (await but('truth', 'scored_events')) + (await but('scored_events', 'truth')),
  }
}
