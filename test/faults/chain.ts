import { createHash } from 'node:crypto'
import type { ChunkCommit, LogRecord, ShardProcessor, SlotSource } from '@plumbline/detector'
import type { Alert, AlertCapsule, DeadLetter, ScoredColumn } from '@plumbline/schemas'
import { SCORED_SCHEMA_VERSION, scoredColumnsOf } from '@plumbline/schemas'

/**
 * A small, order-sensitive detector for the fault tests: per identity a chain of SHA-256 over everything it did. One lost,
 * doubled or reordered event changes every later row, so equality with the oracle proves exactly-once in effect.
 */
const NONE = Buffer.alloc(32)
export const ALERT_BELOW = 24
export const REFUSED = 33 // "!" as first byte: the event is a dead letter

export interface ChainRow {
  readonly shard: number
  readonly offset: number
  readonly identity: string
  readonly chain: string
  readonly alert: boolean
}

export const identityOf = (record: LogRecord): string => Buffer.from(record.key).toString().slice(2)
export const slotKeyOf = (identity: string): Buffer => createHash('sha256').update(identity).digest().subarray(0, 8)
export const linkOf = (previous: Uint8Array, record: LogRecord): Buffer =>
  createHash('sha256').update(previous).update(record.value).digest()
export const isRefused = (record: LogRecord): boolean => record.value[0] === REFUSED

const lengthPrefixed = (text: string): Buffer => {
  const bytes = Buffer.from(text)
  if (bytes.length > 127) throw new RangeError('Test strings are short.')
  return Buffer.concat([Buffer.from([bytes.length]), bytes])
}

const encodeColumn = ({ name, wire }: ScoredColumn, row: ChainRow, ingestTimeMs: number): Buffer => {
  const values: Record<string, string | number> = {
    tenant: 'faults',
    identity: row.identity,
    event_id: row.chain,
    shard: row.shard,
    offset: row.offset,
    event_time: ingestTimeMs,
    ingest_time: ingestTimeMs,
  }
  const value = values[name] ?? (wire === 'String' ? '' : 0)
  const bytes = Buffer.alloc(8)
  switch (wire) {
    case 'String':
      return lengthPrefixed(String(value))
    case 'UInt8':
      return bytes.subarray(0, bytes.writeUInt8(Number(value)))
    case 'UInt16':
      return bytes.subarray(0, bytes.writeUInt16LE(Number(value)))
    case 'UInt32':
      return bytes.subarray(0, bytes.writeUInt32LE(Number(value)))
    case 'Float32':
      return bytes.subarray(0, bytes.writeFloatLE(Number(value)))
    case 'UInt64':
    case 'Int64ms':
      return bytes.subarray(0, bytes.writeBigInt64LE(BigInt(value)))
    case 'ArrayUInt8':
    case 'ArrayFloat32':
      return Buffer.from([0])
  }
}

export const encodeRow = (row: ChainRow, ingestTimeMs: number, version = SCORED_SCHEMA_VERSION): Buffer =>
  Buffer.concat((scoredColumnsOf(version) ?? []).map((column) => encodeColumn(column, row, ingestTimeMs)))

const replayOf = (row: ChainRow): Alert['replay'] => ({
  position: { topic: 'events', shard: row.shard, offset: row.offset },
  releaseId: 'none',
  stateVersion: 1,
  configHash: 'none',
  policyHash: 'none',
  detectorVersion: 'chain',
  catalogueHash: 'none',
})

export const alertOf = (row: ChainRow, time: number): Alert => ({
  v: 1,
  id: `alert-${row.identity}-${row.offset}`,
  revision: 1,
  activity: 'create',
  family: 'combination',
  groupKey: row.identity,
  severity: 'high',
  score: 90,
  risk: 50,
  critical: false,
  historic: false,
  facts: {
    tenant: 'faults',
    identity: { id: row.identity, kind: 'agent', criticality: 2 },
    action: 'act',
    resource: { class: 'thing' },
    outcome: 'success',
    time,
    reasons: [{ family: 'combination', feature: 'chain', observed: { value: 1, unit: 'events' }, weight: 1 }],
    baseline: { days: 1, events: 1, maturity: 1, peers: 0, modelled: false },
    tailProbability: 1e-6,
    notVisible: [],
  },
  text: { headline: row.chain, normal: '', why: '', certainty: '', firstStep: '' },
  techniques: [],
  firstSeen: time,
  lastSeen: time,
  count: 1,
  suppressed: 0,
  evidence: [],
  replay: replayOf(row),
})

const capsuleOf = (row: ChainRow, record: LogRecord): AlertCapsule => ({
  v: 1,
  alertId: `alert-${row.identity}-${row.offset}`,
  revision: 1,
  replay: replayOf(row),
  ingestTime: record.ingestTimeMs,
  event: Buffer.from(record.value).toString('base64'),
  slot: '',
  score: 90,
  features: [],
})

const letterOf = (shard: number, record: LogRecord): DeadLetter => ({
  v: 1,
  stage: 'decode',
  code: 'JSON_SYNTAX',
  field: '',
  message: 'refused',
  tenant: 'faults',
  topic: 'events',
  shard,
  offset: record.offset,
  ingestTime: record.ingestTimeMs,
  payload: Buffer.from(record.value).toString('base64'),
})

interface ShardMemory {
  next: number
  seen: number
  slots: Map<string, Buffer>
  /** Chunk that is computed but not stored. */
  pending: { next: number; seen: number; slots: Map<string, Buffer> } | null
}

/** ShardProcessor over the chain. Memory holds committed slots; a chunk lives in an overlay until `settle`. */
export const createChainProcessor = (source: SlotSource): ShardProcessor => {
  const shards = new Map<number, ShardMemory>()
  const held = (shard: number): ShardMemory => {
    const memory = shards.get(shard)
    if (memory === undefined) throw new Error(`Shard ${shard} is not open.`)
    return memory
  }
  const stored = (shard: number, identity: string): Buffer => {
    const into = Buffer.alloc(64)
    return source.load(shard, slotKeyOf(identity), into) < 0 ? NONE : Buffer.from(into.subarray(0, 32))
  }
  return {
    open(shard, { nextOffset, meta }) {
      const seen = meta.get('seen')
      shards.set(shard, {
        next: nextOffset,
        seen: seen === undefined ? 0 : Number(Buffer.from(seen).toString()),
        slots: new Map(),
        pending: null,
      })
    },
    process(shard, records): ChunkCommit {
      const memory = held(shard)
      if (memory.pending !== null) throw new Error('The last chunk is not settled.')
      if (records[0]?.offset !== memory.next) throw new Error(`Shard ${shard}: expected ${memory.next}, got ${records[0]?.offset}.`)
      const overlay = new Map<string, Buffer>()
      const rows: Buffer[] = []
      const alerts: Alert[] = []
      const capsules: AlertCapsule[] = []
      const deadLetters: DeadLetter[] = []
      for (const record of records) {
        if (isRefused(record)) {
          deadLetters.push(letterOf(shard, record))
          continue
        }
        const identity = identityOf(record)
        const chain = linkOf(overlay.get(identity) ?? memory.slots.get(identity) ?? stored(shard, identity), record)
        overlay.set(identity, chain)
        const row: ChainRow = { shard, offset: record.offset, identity, chain: chain.toString('hex'), alert: chain[0]! < ALERT_BELOW }
        rows.push(encodeRow(row, record.ingestTimeMs))
        if (!row.alert) continue
        alerts.push(alertOf(row, record.ingestTimeMs))
        capsules.push(capsuleOf(row, record))
      }
      const nextOffset = records.at(-1)!.offset + 1
      memory.pending = { next: nextOffset, seen: memory.seen + records.length, slots: overlay }
      return {
        shard,
        nextOffset,
        slots: [...overlay].map(([identity, bytes]) => ({ key: slotKeyOf(identity), bytes })),
        meta: [{ name: 'seen', bytes: Buffer.from(String(memory.pending.seen)) }],
        scored:
          rows.length === 0
            ? null
            : {
                schemaVersion: SCORED_SCHEMA_VERSION,
                firstOffset: records[0]!.offset,
                lastOffset: nextOffset - 1,
                rows: rows.length,
                bytes: Buffer.concat(rows),
              },
        alerts,
        capsules,
        deadLetters,
      }
    },
    settle(shard) {
      const memory = held(shard)
      const { pending } = memory
      if (pending === null) throw new Error('Nothing to settle.')
      for (const [identity, bytes] of pending.slots) memory.slots.set(identity, bytes)
      Object.assign(memory, { next: pending.next, seen: pending.seen, pending: null })
    },
    forget: (shard) => void shards.delete(shard),
  }
}

/** The truth: what a run without faults puts out for one shard's log. */
export const oracle = (
  shard: number,
  records: readonly LogRecord[],
): { rows: ChainRow[]; refused: number[]; slots: Map<string, string> } => {
  const slots = new Map<string, Buffer>()
  const rows: ChainRow[] = []
  const refused: number[] = []
  for (const record of records) {
    if (isRefused(record)) {
      refused.push(record.offset)
      continue
    }
    const identity = identityOf(record)
    const chain = linkOf(slots.get(identity) ?? NONE, record)
    slots.set(identity, chain)
    rows.push({ shard, offset: record.offset, identity, chain: chain.toString('hex'), alert: chain[0]! < ALERT_BELOW })
  }
  return { rows, refused, slots: new Map([...slots].map(([identity, chain]) => [identity, chain.toString('hex')])) }
}
