import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type OutboxEntry, type Topic, openEmbeddedLog } from '@plumbline/adapters/lmdb'
import { shardLogCompliance } from './shard-log.ts'

shardLogCompliance('LMDB', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-lmdb-'))
  const shards = 32
  let log = await openEmbeddedLog({ dir, shards })
  const entries = (topic: Topic, shard: number): OutboxEntry[] =>
    log.outbox.read(topic, 0, Number.POSITIVE_INFINITY).filter((entry) => entry.shard === shard)
  const values = <T>(topic: Topic, shard: number): T[] =>
    entries(topic, shard).map(({ payload }) => JSON.parse(Buffer.from(payload).toString()) as T)
  return {
    log,
    shards,
    async reopen() {
      await log.close()
      log = await openEmbeddedLog({ dir, shards })
      return log
    },
    outbox: async (shard) => ({
      scored: entries('scored', shard).map(({ firstOffset, lastOffset, payload }) => ({ firstOffset, lastOffset, bytes: payload })),
      alerts: values('alerts', shard),
      capsules: values('capsules', shard),
      deadLetters: values('dead-letters', shard),
    }),
    async close() {
      await log.close()
      rmSync(dir, { recursive: true })
    },
  }
})
