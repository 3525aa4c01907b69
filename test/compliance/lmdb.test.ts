import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbeddedLog } from '@plumbline/adapters/lmdb'
import type { Alert, AlertCapsule, DeadLetter, OutboxEntry, Topic } from '@plumbline/schemas'
import { deploymentLogCompliance } from './deployment-log.ts'
import { shardLogCompliance } from './shard-log.ts'

shardLogCompliance('LMDB', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-lmdb-'))
  const shards = 32
  let log = await openEmbeddedLog({ dir, shards })
  const entries = async (topic: Topic, shard: number): Promise<OutboxEntry[]> =>
    (await log.outbox.read(topic, 0, Number.POSITIVE_INFINITY)).filter((entry) => entry.shard === shard)
  const values = async <T>(topic: Topic, shard: number): Promise<T[]> =>
    (await entries(topic, shard)).map(({ payload }) => JSON.parse(Buffer.from(payload).toString()) as T)
  return {
    log,
    shards,
    async reopen() {
      await log.close()
      log = await openEmbeddedLog({ dir, shards })
      return log
    },
    outbox: async (shard) => ({
      scored: (await entries('scored', shard)).map(({ firstOffset, lastOffset, payload }) => ({ firstOffset, lastOffset, bytes: payload })),
      alerts: await values<Alert>('alerts', shard),
      capsules: await values<AlertCapsule>('capsules', shard),
      deadLetters: await values<DeadLetter>('dead-letters', shard),
    }),
    async close() {
      await log.close()
      rmSync(dir, { recursive: true })
    },
  }
})

deploymentLogCompliance('LMDB', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-lmdb-'))
  const shards = 32
  let log = await openEmbeddedLog({ dir, shards })
  return {
    log,
    shards,
    async reopen() {
      await log.close()
      return (log = await openEmbeddedLog({ dir, shards }))
    },
    async close() {
      await log.close()
      rmSync(dir, { recursive: true })
    },
  }
})
