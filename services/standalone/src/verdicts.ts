import { randomUUID } from 'node:crypto'
import type { Store } from '@plumbline/adapters/clickhouse'
import type { VerdictSink } from '@plumbline/console'
import { type DeploymentLog, type LogRecord, shardOf } from '@plumbline/detector'
import { type AlertView, type ControlRecord, type FeedbackRecord, PlumblineError, SCORED_FLAGS } from '@plumbline/schemas'
import { announce } from '@plumbline/trainer'

type VerdictRecord = Extract<ControlRecord, { type: 'verdict' }>

/** A verdict on its way: stored first, so that no crash leaves feedback without its effect. */
interface Pending {
  readonly control: VerdictRecord
  readonly feedback: FeedbackRecord
}

interface Position {
  readonly shard: number
  readonly offset: number
}

export interface VerdictOptions {
  readonly log: DeploymentLog
  /** Throws while ClickHouse is away. */
  readonly reader: () => Store
  readonly clock: () => number
}

const PENDING = 'verdict:pending:'
/** Most events a control record carries (contracts C10). */
const MAX_EVENTS = 256
/** An alert's rows reach the store within a fraction of a second; a verdict waits this long for them at most. */
const ROWS_WAIT_MS = 1500

export interface Verdicts extends VerdictSink {
  /** Finishes what a crash interrupted. Call once, before new verdicts. */
  resume(): Promise<void>
}

/** Verdicts: feedback log, audit, and the control record that makes the detector follow them. */
export const createVerdicts = ({ log, reader, clock }: VerdictOptions): Verdicts => {
  const finish = async (name: string, { control, feedback }: Pending): Promise<void> => {
    const { tenant, author, verdict, alertId } = control
    const said = { time: feedback.time, tenant, actor: author, action: `verdict.${verdict}`, target: alertId }
    await announce(log, {
      record: control,
      shards: [shardOf(control.tenant, control.identity, log.shards)],
      nowMs: clock(),
      nonce: control.controlId,
      rows: { feedback: [feedback], audit: [{ ...said, body: { events: control.events.length } }] },
    })
    await log.kv.put({ [name]: null })
  }

  return {
    async record(alert, verdict, author, note) {
      const events = verdict === 'dismissed' ? [] : await evidenceOf(log, reader, alert)
      const { tenant, identity } = alert.facts
      const id = randomUUID()
      const control: VerdictRecord = {
        v: 1,
        type: 'verdict',
        controlId: `verdict:${id}`,
        tenant,
        alertId: alert.id,
        identity: identity.id,
        verdict,
        groupKey: alert.groupKey,
        events,
        author,
      }
      const feedback = { time: clock(), tenant, alertId: alert.id, identity: identity.id, verdict, author, note: note ?? '' }
      const name = PENDING + id
      await log.kv.put({ [name]: Buffer.from(JSON.stringify({ control, feedback })) })
      await finish(name, { control, feedback })
    },
    async resume() {
      for (const name of log.kv.list(PENDING)) await finish(name, JSON.parse(Buffer.from(log.kv.get(name)!).toString()) as Pending)
    },
  }
}

/** Positions of the events that alerted in the alert's group: what the store knows, else what the alert names. */
const positionsOf = async (reader: () => Store, alert: AlertView): Promise<readonly Position[]> => {
  const { facts, firstSeen, evidence } = alert
  const until = performance.now() + ROWS_WAIT_MS
  for (;;) {
    const rows = await alertedRows(reader, facts.tenant, facts.identity.id, facts.session, firstSeen).catch((error: unknown) => {
      if ((error as PlumblineError).retryable === true) return null
      throw error
    })
    const all = rows !== null && evidence.every((e) => rows.some((row) => row.shard === e.shard && row.offset === e.offset))
    if (all) return rows
    if (rows === null || performance.now() > until) return merge(evidence, rows ?? [])
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

const merge = (a: readonly Position[], b: readonly Position[]): Position[] => [
  ...new Map([...a, ...b].map(({ shard, offset }) => [`${shard}:${offset}`, { shard, offset }])).values(),
]

const alertedRows = (
  reader: () => Store,
  tenant: string,
  identity: string,
  session: string | undefined,
  from: number,
): Promise<readonly Position[]> => {
  const store = reader()
  return store.rows<Position>(
    `SELECT DISTINCT shard, offset FROM ${store.database}.scored_events
     WHERE tenant = {tenant:String} AND identity = {identity:String} AND session = {session:String} AND bitAnd(flags, ${SCORED_FLAGS.alerted}) != 0
       AND event_time >= fromUnixTimestamp64Milli({from:Int64})
     ORDER BY shard, offset LIMIT ${MAX_EVENTS}`,
    { tenant, identity, session: session ?? '', from },
  )
}

/** Events are looked up in pieces of the log this long: jumping about costs far more than reading on. */
const PIECE = 256

/** Canonical bytes of the evidence, base64; what retention removed from the log is left out. */
const evidenceOf = async (log: DeploymentLog, reader: () => Store, alert: AlertView): Promise<string[]> => {
  const positions = await positionsOf(() => reader(), alert).catch(() => alert.evidence)
  const sorted = [...positions].sort((a, b) => a.shard - b.shard || a.offset - b.offset).slice(0, MAX_EVENTS)
  const events: string[] = []
  let piece: { readonly shard: number; readonly through: number; readonly records: ReadonlyMap<number, Uint8Array> } | null = null
  for (const { shard, offset } of sorted) {
    if (piece === null || piece.shard !== shard || offset > piece.through) {
      const records: readonly LogRecord[] = await log.read(shard, offset, PIECE).catch((error: unknown) => {
        if ((error as PlumblineError).code === 'RECORDS_TRIMMED') return []
        throw error
      })
      piece = { shard, through: records.at(-1)?.offset ?? offset, records: new Map(records.map((record) => [record.offset, record.value])) }
    }
    const value = piece.records.get(offset)
    if (value !== undefined) events.push(Buffer.from(value).toString('base64'))
  }
  return events
}
