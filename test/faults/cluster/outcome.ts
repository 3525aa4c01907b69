import { createHash } from 'node:crypto'
import { type ChunkCommit, Detector, type LogRecord } from '@plumbline/detector'
import type { Alert, AlertCapsule, DeadLetter } from '@plumbline/schemas'
import { MASTER_KEY, MemorySlots } from '../../../packages/detector/src/rig.testkit.ts'
import { readRowHead, splitScoredRows } from '../../../services/recorder/src/row-binary.ts'
import { CONFIG, type Log } from '../../support/detector-log.ts'

/** One thing that is put out, by the name under which there may be one only, and a digest of its bytes. */
export type Item = readonly [name: string, content: string]

/** Everything that a log gave: what was put out, and the state that is left, by name. */
export interface Outcome {
  readonly items: readonly Item[]
  readonly state: ReadonlyMap<string, string>
}

export interface Differences {
  /** Rows, alerts, capsules and dead letters that are missing, are there more than once, or have other bytes. */
  readonly lost: number
  readonly doubled: number
  readonly wrong: number
  /** Slots, named state and positions that differ. */
  readonly state: number
}

export const digest = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('base64')
const json = (value: unknown): string => digest(JSON.stringify(value))

export const rowItems = (block: Uint8Array): Item[] => {
  const { rows, rest } = splitScoredRows(block)
  if (rest.length > 0) throw new Error(`A block of scored rows ends in ${rest.length} bytes that are no row.`)
  return rows.map((row) => {
    const { shard, offset } = readRowHead(row)
    return [`row ${shard}:${offset}`, digest(row)]
  })
}
export const alertItem = (alert: Alert): Item => [`alert ${alert.id} ${alert.revision}`, json(alert)]
export const capsuleItem = (capsule: AlertCapsule): Item => [`capsule ${capsule.alertId} ${capsule.revision}`, json(capsule)]
export const letterItem = (letter: DeadLetter): Item => [`letter ${letter.shard}:${letter.offset}`, json(letter)]

export const slotName = (shard: number, key: Uint8Array): string => `${shard} slot ${Buffer.from(key).toString('hex')}`
export const metaName = (shard: number, name: string): string => `${shard} meta ${name}`
export const nextName = (shard: number): string => `${shard} next`

/** Chunks of another size than any worker's: results may not depend on it (INV-1). */
const CHUNK = 333

/** What the logs give by the pure detector, each shard's records in their order. */
export const truthOf = (logs: Log['shards'], artifacts: Log['artifacts']): Outcome => {
  const slots = new MemorySlots()
  const releases = { artifact: (_: string, sha256: string) => artifacts.get(sha256) }
  const detector = new Detector({ config: CONFIG, masterKey: MASTER_KEY, slots, releases, residentSlots: 4_096, topic: 'events' })
  const items: Item[] = []
  const state = new Map<string, string>()
  const note = ({ shard, scored, alerts, capsules, deadLetters, slots: touched, meta }: ChunkCommit): void => {
    if (scored !== null) items.push(...rowItems(scored.bytes))
    items.push(...alerts.map(alertItem), ...capsules.map(capsuleItem), ...deadLetters.map(letterItem))
    for (const { key, bytes } of touched) state.set(slotName(shard, key), digest(bytes))
    for (const { name, bytes } of meta) state.set(metaName(shard, name), digest(bytes))
  }
  const run = (shard: number, records: readonly LogRecord[]): void => {
    detector.open(shard, { nextOffset: 0, meta: new Map() })
    for (let at = 0; at < records.length; at += CHUNK) {
      const commit = detector.process(shard, records.slice(at, at + CHUNK))
      slots.keep(commit)
      note(commit)
      detector.settle(shard)
    }
    state.set(nextName(shard), String(records.length))
  }
  for (const [shard, records] of logs.entries()) run(shard, records)
  return { items, state }
}

export const countOf = ({ items }: Outcome, kind: 'row' | 'alert' | 'letter'): number =>
  items.filter(([name]) => name.startsWith(kind)).length

export const compare = (truth: Outcome, found: Outcome): Differences => {
  const expected = new Map(truth.items)
  const seen = new Set<string>()
  const result = { lost: 0, doubled: 0, wrong: 0, state: 0 }
  for (const [name, content] of found.items) {
    if (seen.has(name)) result.doubled++
    seen.add(name)
    if (expected.get(name) !== content) result.wrong++
  }
  for (const name of expected.keys()) if (!seen.has(name)) result.lost++
  const names = new Set([...truth.state.keys(), ...found.state.keys()])
  for (const name of names) if (truth.state.get(name) !== found.state.get(name)) result.state++
  return result
}
