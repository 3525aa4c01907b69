import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openEmbeddedLog } from '@plumbline/adapters/lmdb'
import { createFileSink, createForwarder, outboxPorts } from '@plumbline/adapters/siem'
import { Alert } from '@plumbline/schemas'

const golden = JSON.parse(readFileSync(new URL('../../schemas/fixtures/v1/alerts.json', import.meta.url), 'utf8')) as {
  readonly accepted: readonly { readonly output: unknown }[]
}
const model = Alert.parse(golden.accepted[0]?.output)
const alertAt = (n: number): Alert => ({
  ...model,
  id: `00000000-0000-5000-8000-${String(n).padStart(12, '0')}`,
  severity: 'high',
  family: n % 2 === 0 ? 'rate' : 'volume',
  facts: { ...model.facts, action: `act-${n}`, identity: { ...model.facts.identity, id: `agent-${n}` } },
  replay: { ...model.replay, position: { ...model.replay.position, shard: 0, offset: n } },
})

test('alerts committed to the embedded log reach the file once each over a restart, and stay in the outbox until then', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-forward-'))
  const path = join(dir, 'alerts.ndjson')
  const product = { name: 'Plumbline', vendorName: 'Plumbline', version: '0.0.0' }
  try {
    for (const [from, to] of [
      [0, 7],
      [7, 12],
    ] as const) {
      const log = await openEmbeddedLog({ dir: join(dir, 'log'), shards: 1 })
      const { source, store } = outboxPorts(log.outbox, log.kv)
      const forwarder = await createForwarder({ source, store, sinks: [createFileSink({ path, product })], budgetPerDay: 10, batch: 3 })
      const off = log.outbox.onEntries((topics) => topics.includes('alerts') && forwarder.wake())
      await log.acquire(0)
      await log.append(
        Array.from({ length: to - from }, (_, i) => ({
          shard: 0,
          ingestTimeMs: 1,
          key: Buffer.from(`e:${from + i}`),
          value: Buffer.from('{}'),
        })),
      )
      await log.commit([
        {
          shard: 0,
          nextOffset: to,
          slots: [],
          meta: [],
          scored: null,
          capsules: [],
          deadLetters: [],
          alerts: Array.from({ length: to - from }, (_, i) => alertAt(from + i)),
        },
      ])
      await forwarder.drain()
      assert.equal(forwarder.status().delivered, Math.min(to, 10))
      assert.equal(forwarder.status().held, Math.max(0, to - 10))
      await log.outbox.trim()
      off()
      await forwarder.close()
      await log.close()
    }
    const uids = readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((l) => (JSON.parse(l) as { finding_info: { uid: string } }).finding_info.uid)
    assert.deepEqual(
      uids,
      Array.from({ length: 10 }, (_, n) => alertAt(n).id),
    )
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
