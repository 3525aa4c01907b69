import assert from 'node:assert/strict'
import { existsSync, globSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { engineProblem } from '@plumbline/adapters/clickhouse'
import { readEvents } from '@plumbline/adapters/files'
import { openEmbeddedLog } from '@plumbline/adapters/lmdb'
import { type AppendRecord, eventKey, shardOf } from '@plumbline/detector'
import { createRecorder, superviseEngine } from '../../services/recorder/src/index.ts'
import { createWorker } from '../../services/worker/src/index.ts'
import { createRealDetector } from './company.ts'
import { SHARDS } from './plan.ts'

const shared = process.env['PLUMBLINE_SHARED_DATA'] ?? join(import.meta.dirname, '../../../shared/data')
const files = existsSync(shared) ? globSync('cloudtrail/invictus/CloudTrail/*.json', { cwd: shared }) : []
const skip = engineProblem()?.message ?? (files.length === 0 ? 'shared data is not here' : false)

/** As `replay` stamps them: arrival is event time, never going back (contracts C2). */
const recordsOfFiles = async (): Promise<AppendRecord[]> => {
  const found: { time: number; tenant: string; identity: string; value: Uint8Array }[] = []
  for (const file of files) {
    for await (const record of readEvents(join(shared, file))) {
      if (record.ok)
        found.push({ time: record.event.time, tenant: record.event.tenant, identity: record.event.identity.id, value: record.canonical })
    }
  }
  found.sort((a, b) => a.time - b.time)
  return found.map(({ time, tenant, identity, value }) => ({
    shard: shardOf(tenant, identity, SHARDS),
    ingestTimeMs: time,
    key: eventKey(tenant, identity),
    value,
  }))
}

test('years-old CloudTrail files, replayed: all rows are there after TTL merges are forced (contracts C12)', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-cloudtrail-'))
  const log = await openEmbeddedLog({ dir: join(dir, 'log'), shards: SHARDS })
  const engine = await superviseEngine({ dir: join(dir, 'engine') })
  const records = await recordsOfFiles()
  await log.append(records)
  const worker = createWorker({
    log,
    processor: createRealDetector(log, log.masterKey),
    shards: Array.from({ length: SHARDS }, (_, shard) => shard),
    onRecords: log.onRecords,
  })
  const recorder = createRecorder({ log, store: () => engine.store('recorder'), lingerMs: 1 })
  t.after(async () => {
    await worker.stop()
    await recorder.stop()
    await engine.stop()
    await log.close()
    rmSync(dir, { recursive: true, force: true })
  })
  worker.start()
  await worker.drained()
  await recorder.start()
  await recorder.drained()
  const owner = engine.store('owner')
  const count = async (): Promise<{ rows: number; newest: string }> =>
    (
      await owner.rows<{ rows: number; newest: string }>(
        'SELECT count() AS rows, toString(max(ingest_time)) AS newest FROM plumbline.scored_events',
      )
    )[0]!
  const before = await count()
  t.diagnostic(`${before.rows} rows of ${records.length} events, the newest arrived ${before.newest}`)
  assert.ok(records.length > 1_000 && before.rows === records.length)
  await owner.command('ALTER TABLE plumbline.scored_events MATERIALIZE TTL SETTINGS mutations_sync = 1')
  await owner.command('OPTIMIZE TABLE plumbline.scored_events FINAL')
  assert.deepEqual(await count(), before)
})
