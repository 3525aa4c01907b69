import { Readable } from 'node:stream'
import { createClient } from '@clickhouse/client'
import { SCORED_COLUMNS } from '@plumbline/schemas'
import { LANES, type Blocks } from './blocks.ts'
import { type Run, type Target, checkRows, timed } from './target.ts'

const PIECE_BYTES = 4 * 1024 * 1024
const COLUMNS = SCORED_COLUMNS.map(({ name }) => `\`${name}\``).join(', ')

/** Neighbouring blocks of a lane, up to the size of a recorder's insert. */
const piecesOf = (blocks: Blocks['lanes'][number]): Uint8Array[][] => {
  const pieces: Uint8Array[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const block of blocks) {
    if (bytes + block.bytes.length > PIECE_BYTES) {
      pieces.push([])
      bytes = 0
    }
    pieces.at(-1)!.push(block.bytes)
    bytes += block.bytes.length
  }
  return pieces
}

/** The official client as its documentation shows it: one INSERT of RowBinary after the other, per lane. */
export const bareRun = ({ engine, database }: Target, { lanes, rows }: Blocks): Promise<Run> =>
  database(async (store) => {
    const client = createClient({
      url: engine.url,
      username: 'owner',
      password: engine.passwords.owner,
      max_open_connections: LANES,
      compression: { request: false, response: false },
      clickhouse_settings: { async_insert: 0, wait_end_of_query: 1 },
    })
    const run = await timed(rows, engine.pid, async () => {
      await Promise.all(
        lanes.map(async (blocks) => {
          for (const parts of piecesOf(blocks)) {
            const query = `INSERT INTO ${store.database}.scored_events (${COLUMNS}) FORMAT RowBinary`
            const { stream } = await client.exec({ query, values: Readable.from(parts, { objectMode: false }) })
            for await (const _ of stream) void _
          }
        }),
      )
    })
    await client.close()
    await checkRows(store, rows)
    return run
  })
