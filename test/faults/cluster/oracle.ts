import type { TopicNames } from '@plumbline/adapters/kafka'
import type { LogRecord } from '@plumbline/detector'
import type { Kafka } from 'kafkajs'
import { readState, toLogRecord } from '../../../packages/adapters/src/kafka/codec.ts'
import { type Log, SHARDS } from '../../support/detector-log.ts'
import { type ReadMessage, readCommitted } from '../../support/kafka/topics.ts'
import {
  alertItem,
  capsuleItem,
  compare,
  countOf,
  type Differences,
  digest,
  type Item,
  letterItem,
  metaName,
  nextName,
  type Outcome,
  rowItems,
  slotName,
  truthOf,
} from './outcome.ts'

/** What was committed against what had to be; the differences are zero in a good run. */
export interface Verdict extends Differences {
  /** Records of the events topic, and how many of them are control records. */
  readonly events: number
  readonly controls: number
  readonly rows: number
  readonly alerts: number
  readonly deadLetters: number
  readonly slots: number
}

export const differences = ({ lost, doubled, wrong, state }: Differences): number => lost + doubled + wrong + state

/** The last committed record of each key of the state topic, but for barriers; slots as `slot` makes them comparable. */
const readStates = (messages: readonly ReadMessage[], slot: (bytes: Uint8Array) => Uint8Array): Map<string, string> => {
  const state = new Map<string, string>()
  const snapshots = new Map<string, string>()
  for (const { partition, offset, key, value } of messages) {
    const entry = readState({ key, value, offset, headers: {}, timestampMs: 0 })
    if (entry.kind === 'slot') state.set(slotName(partition, entry.key), digest(slot(entry.bytes ?? Buffer.alloc(0))))
    if (entry.kind === 'meta') state.set(metaName(partition, entry.name), digest(entry.bytes ?? ''))
    if (entry.kind === 'next') state.set(nextName(partition), String(entry.offset))
    if (entry.kind === 'snapshot') snapshots.set(nextName(partition), String(entry.offset))
  }
  // Workers that ended in good order have saved all state: it stands for the same position as the outputs.
  for (const [name, offset] of snapshots) if (state.get(name) !== offset) state.set(name, `${state.get(name)}, state of ${offset}`)
  return state
}

const readItems = async (kafka: Kafka, names: TopicNames): Promise<Item[]> => {
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

/** All that a deployment has committed, read with a client of the test's own. */
export const readOutcome = async (
  kafka: Kafka,
  names: TopicNames,
  slot: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes,
): Promise<Outcome> => ({
  items: await readItems(kafka, names),
  state: readStates(await readCommitted(kafka, names.state, { markKey: 'b:barrier' }), slot),
})

const readLogs = async (kafka: Kafka, names: TopicNames): Promise<LogRecord[][]> => {
  const logs: LogRecord[][] = Array.from({ length: SHARDS }, () => [])
  for (const { partition, offset, key, value, headers, timestamp } of await readCommitted(kafka, names.events)) {
    logs[partition]!.push(toLogRecord({ key, value, offset, headers: headers ?? {}, timestampMs: Number(timestamp) }))
  }
  return logs
}

/** Computes the truth from the events topic alone, and compares everything that is committed with it. */
export const judge = async (kafka: Kafka, names: TopicNames, artifacts: Log['artifacts']): Promise<Verdict> => {
  const logs = await readLogs(kafka, names)
  const truth = truthOf(logs, artifacts)
  return {
    events: logs.flat().length,
    controls: logs.flat().filter(({ key }) => Buffer.from(key).toString().startsWith('c:')).length,
    rows: countOf(truth, 'row'),
    alerts: countOf(truth, 'alert'),
    deadLetters: countOf(truth, 'letter'),
    slots: [...truth.state.keys()].filter((name) => name.includes(' slot ')).length,
    ...compare(truth, await readOutcome(kafka, names)),
  }
}
