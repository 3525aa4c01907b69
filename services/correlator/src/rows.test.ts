import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { type ScoredRow, scoredRows } from '@plumbline/detector/replay'
import { SCORED_FLAGS, SCORED_SCHEMA_VERSION } from '@plumbline/schemas'
import { ROLE, type Signal } from './core/signal.ts'
import { RowReader } from './rows.ts'

const blockOf = (version: number): Buffer => {
  const name = version === 1 ? 'scored-block.json' : `scored-block-v${version}.json`
  const { bytes } = JSON.parse(readFileSync(new URL(`../../../schemas/fixtures/v1/${name}`, import.meta.url), 'utf8')) as { bytes: string }
  return Buffer.from(bytes, 'base64')
}
const read = (payload: Uint8Array, version: number, reader = new RowReader()): Signal[] => {
  const signals: Signal[] = []
  reader.read(payload, version, (signal) => signals.push(signal))
  return signals
}

test('what is read of a row, of every version, is what the row says', () => {
  for (let version = 1; version <= SCORED_SCHEMA_VERSION; version++) {
    const rows = [...scoredRows(blockOf(version), version)] as (ScoredRow & Record<string, unknown>)[]
    const passed = rows.filter(({ flags }) => (flags & (SCORED_FLAGS.duplicate | SCORED_FLAGS.late)) === 0)
    assert.ok(passed.length > 1 && passed.length < rows.length)
    const expected = passed.map((row) => ({
      tenant: row.tenant,
      identity: row.identity,
      kind: row['identity_kind'],
      time: Math.min(row.event_time, Number(row['ingest_time'])),
      shard: row['shard'],
      offset: row.offset,
      action: row.action,
      resource: row.resource,
      destination: row['destination'],
      source: row['source_ip'],
      root: row['root'] ?? '',
      by: row['on_behalf_of'] ?? '',
      release: row['version_release'] ?? '',
      model: row['version_model'] ?? '',
      flags: row.flags,
      score: row.score,
      maturity: row['maturity'],
    }))
    // Each is the first of its identity and source, or alerted.
    const found = read(blockOf(version), version).map(({ roles, ...rest }) => {
      assert.ok((roles & (ROLE.sighting | ROLE.departs)) !== 0)
      return rest
    })
    assert.deepEqual(
      found,
      expected.filter(({ offset }) => found.some((signal) => signal.offset === offset)),
    )
    assert.ok(found.length >= 2)
  }
})

test('an identity at a source is told once in ten minutes, what departs every time', () => {
  const reader = new RowReader()
  const payload = blockOf(SCORED_SCHEMA_VERSION)
  const first = read(payload, SCORED_SCHEMA_VERSION, reader)
  const again = read(payload, SCORED_SCHEMA_VERSION, reader)
  assert.ok(first.some(({ roles }) => (roles & ROLE.sighting) !== 0))
  assert.ok(again.length > 0 && again.every(({ roles }) => (roles & (ROLE.sighting | ROLE.place)) === 0))
  assert.equal(reader.rows, 2 * [...scoredRows(payload)].length)
})

test('a block of a newer build and one that is cut off are refused', () => {
  const payload = blockOf(SCORED_SCHEMA_VERSION)
  assert.throws(() => read(payload, SCORED_SCHEMA_VERSION + 1), { code: 'SCORED_SCHEMA_UNKNOWN' })
  assert.throws(() => read(payload.subarray(0, payload.length - 1), SCORED_SCHEMA_VERSION), { code: 'SCORED_BLOCK_INVALID' })
})
