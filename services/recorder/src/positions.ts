import type { Store } from '@plumbline/adapters/clickhouse'
import { TOPICS, type Topic } from '@plumbline/schemas'

/** How a lane is called in values and tokens; lane 0 like its topic, as before there were lanes. */
export const laneName = (topic: Topic, lane: number): string => (lane === 0 ? topic : `${topic}/${lane}`)

interface PositionRow {
  readonly topic: string
  readonly lane: number
  readonly sequence: number
}

/** What ClickHouse holds of a log: the last sequence whose rows are stored, by the lane's name. */
export const readPositions = async (store: Store, log: string): Promise<ReadonlyMap<string, number>> => {
  const rows = await store.rows<PositionRow>(
    `SELECT topic, lane, max(sequence) AS sequence FROM ${store.database}.recorder_positions WHERE log = {log:String} GROUP BY topic, lane`,
    { log },
  )
  return new Map(
    rows
      .filter(({ topic }) => (TOPICS as readonly string[]).includes(topic))
      .map(({ topic, lane, sequence }) => [laneName(topic as Topic, lane), Number(sequence)]),
  )
}

export const writePosition = (store: Store, log: string, at: PositionRow, rows: number): Promise<void> => {
  const { topic, lane, sequence } = at
  return store.insert({
    table: 'recorder_positions',
    columns: ['log', 'topic', 'lane', 'sequence', 'rows'],
    format: 'JSONEachRow',
    bytes: Buffer.from(`${JSON.stringify({ log, topic, lane, sequence, rows })}\n`),
    token: `${log}:${laneName(topic as Topic, lane)}:position:${sequence}`,
  })
}
