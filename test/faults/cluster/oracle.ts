import { createHash } from 'node:crypto'
import type { TopicNames } from '@plumbline/adapters/kafka'
import type { ChunkCommit, LogRecord, ReleaseSource } from '@plumbline/detector'
import type { Alert, AlertCapsule, DeadLetter } from '@plumbline/schemas'
import type { Kafka } from 'kafkajs'
import { readState, toLogRecord } from '../../../packages/adapters/src/kafka/codec.ts'
import { MemorySlots } from '../../../packages/detector/src/rig.testkit.ts'
import { readRowHead, splitScoredRows } from '../../../services/recorder/src/row-binary.ts'
import { SHARDS } from '../../support/detector-log.ts'
import { type ReadMessage, readCommitted } from '../../support/kafka/topics.ts'
import { createDetector } from './worker.ts'

/** What was committed against what had to be; the last four are zero in a good run. */
export interface Verdict {
  /** Records of the events topic, and how many of them are control records. */
  readonly events: number
  readonly controls: number
  readonly rows: number
  readonly alerts: number
  readonly deadLetters: number
  readonly slots: number
  /** Rows, alerts, capsules and dead letters that are missing, are there more than once, or have other bytes. */
  readonly lost: number
  readonly doubled: number
  readonly wrong: number
  /** Slots, named state and positions that differ. */
  readonly state: number
}

export const differences = ({ lost, doubled, wrong, state }: Verdict): number => lost + doubled + wrong + state

/** One thing that is put out, by the name under which there may be one only. */
type Item = readonly [name: string, content: string]

const digest = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('base64')
const json = (value: unknown): string => digest(JSON.stringify(value))

const rowItems = (block: Uint8Array): Item[] => {
  const { rows, rest } = splitScoredRows(block)
  if (rest.length > 0) throw new Error(`A block of scored rows ends in ${rest.length} bytes that are no row.`)
  return rows.map((row) => {
    const { shard, offset } = readRowHead(row)
    return [`row ${shard}:${offset}`, digest(row)]
  })
}
const alertItem = (alert: Alert): Item => [`alert ${alert.id} ${alert.revision}`, json(alert)]
const capsuleItem = (capsule: AlertCapsule): Item => [`capsule ${capsule.alertId} ${capsule.revision}`, json(capsule)]
const letterItem = (letter: DeadLetter): Item => [`letter ${letter.shard}:${letter.offset}`, json(letter)]

interface Truth {
  readonly items: Item[]
  readonly state: Map<string, string>
}

/** Chunks of another size than any worker's: results may not depend on it (INV-1). */
const CHUNK = 333

/** What one shard's log gives, by the pure detector over its records in their order. */
const truthOf = (shard: number, records: readonly LogRecord[], releases: ReleaseSource): Truth => {
  const slots = new MemorySlots()
  const detector = createDetector(slots, releases)
  const truth: Truth = { items: [], state: new Map() }
  const note = (commit: ChunkCommit): void => {
    if (commit.scored !== null) truth.items.push(...rowItems(commit.scored.bytes))
    truth.items.push(...commit.alerts.map(alertItem), ...commit.capsules.map(capsuleItem), ...commit.deadLetters.map(letterItem))
    for (const { key, bytes } of commit.slots) truth.state.set(`${shard} slot ${Buffer.from(key).toString('hex')}`, digest(bytes))
    for (const { name, bytes } of commit.meta) truth.state.set(`${shard} meta ${name}`, digest(bytes))
  }
  detector.open(shard, { nextOffset: 0, meta: new Map() })
  for (let at = 0; at < records.length; at += CHUNK) {
    const commit = detector.process(shard, records.slice(at, at + CHUNK))
    slots.keep(commit)
    note(commit)
    detector.settle(shard)
  }
  truth.state.set(`${shard} next`, String(records.length))
  return truth
}

/** The last committed record of each key of the state topic, but for barriers. */
const storedState = (messages: readonly ReadMessage[]): Map<string, string> => {
  const state = new Map<string, string>()
  for (const { partition, offset, key, value } of messages) {
    const entry = readState({ key, value, offset: String(offset) } as Parameters<typeof readState>[0])
    if (entry.kind === 'slot') state.set(`${partition} slot ${entry.key.toString('hex')}`, digest(entry.bytes ?? ''))
    if (entry.kind === 'meta') state.set(`${partition} meta ${entry.name}`, digest(entry.bytes ?? ''))
    if (entry.kind === 'next') state.set(`${partition} next`, String(entry.offset))
  }
  return state
}

const storedItems = async (kafka: Kafka, names: TopicNames): Promise<Item[]> => {
  const scored = await readCommitted(kafka, names.scored)
  const alerts = await readCommitted(kafka, names.alerts)
  const letters = await readCommitted(kafka, names['dead-letters'])
  const parse = ({ value }: ReadMessage): never => JSON.parse(String(value)) as never
  const isAlert = ({ key }: ReadMessage): boolean => String(key).startsWith('a:')
  return [
    ...scored.flatMap(({ value }) => rowItems(value!)),
    ...alerts.map((message) => (isAlert(message) ? alertItem(parse(message)) : capsuleItem(parse(message)))),
    ...letters.map((message) => letterItem(parse(message))),
  ]
}

const compareItems = (expected: readonly Item[], found: readonly Item[]): Pick<Verdict, 'lost' | 'doubled' | 'wrong'> => {
  const truth = new Map(expected)
  const seen = new Set<string>()
  const result = { lost: 0, doubled: 0, wrong: 0 }
  for (const [name, content] of found) {
    if (seen.has(name)) result.doubled++
    seen.add(name)
    if (truth.get(name) !== content) result.wrong++
  }
  for (const name of truth.keys()) if (!seen.has(name)) result.lost++
  return result
}

const mismatches = (expected: ReadonlyMap<string, string>, found: ReadonlyMap<string, string>): number => {
  const names = new Set([...expected.keys(), ...found.keys()])
  return [...names].filter((name) => expected.get(name) !== found.get(name)).length
}

/** Computes the truth from the events topic alone, and compares everything that is committed with it. */
export const judge = async (kafka: Kafka, names: TopicNames, releases: ReleaseSource): Promise<Verdict> => {
  const logs: LogRecord[][] = Array.from({ length: SHARDS }, () => [])
  for (const { partition, offset, key, value, headers, timestamp } of await readCommitted(kafka, names.events)) {
    const message = { key, value, headers, timestamp, offset: String(offset) }
    logs[partition]!.push(toLogRecord(message as Parameters<typeof toLogRecord>[0]))
  }
  const truths = logs.map((records, shard) => truthOf(shard, records, releases))
  const items = truths.flatMap((truth) => truth.items)
  const state = new Map(truths.flatMap((truth) => [...truth.state]))
  const stored = storedState(await readCommitted(kafka, names.state, { markKey: 'b:barrier' }))
  const count = (kind: string): number => items.filter(([name]) => name.startsWith(kind)).length
  return {
    events: logs.flat().length,
    controls: logs.flat().filter(({ key }) => String(key).startsWith('c:')).length,
    rows: count('row'),
    alerts: count('alert'),
    deadLetters: count('letter'),
    slots: [...state.keys()].filter((name) => name.includes(' slot ')).length,
    ...compareItems(items, await storedItems(kafka, names)),
    state: mismatches(state, stored),
  }
}
