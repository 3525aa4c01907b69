import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openKafkaDeployment } from '@plumbline/adapters/kafka'
import { createFileSink, createForwarder, outboxPorts } from '@plumbline/adapters/siem'
import { Alert } from '@plumbline/schemas'
import { until } from '../e2e/instance.testkit.ts'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { SHARDS, clusterFor } from '../support/kafka/cluster.ts'

const { brokers, skip } = await kafkaBroker()
const golden = JSON.parse(readFileSync(new URL('../../schemas/fixtures/v1/alerts.json', import.meta.url), 'utf8')) as {
  readonly accepted: readonly { readonly output: unknown }[]
}
const model = Alert.parse(golden.accepted[0]?.output)
const idOf = (n: number): string => `00000000-0000-5000-8000-${String(n).padStart(12, '0')}`
const alertAt = (n: number): Alert => ({ ...model, id: idOf(n), severity: 'high' })
const product = { name: 'Plumbline', vendorName: 'Plumbline', version: '0.0.0' }

test('alerts on Kafka reach each receiver once over restarts; a new one begins with what retention left', { skip }, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-forward-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const { kafka, settings, prefix, names } = await clusterFor(t, brokers)
  const masterKey = Buffer.alloc(32, 1)
  const gaps: number[] = []
  const idsIn = (file: string): string[] =>
    readFileSync(join(dir, file), 'utf8')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { finding_info: { uid: string } }).finding_info.uid.slice(0, model.id.length))
  /** A start of the front: alerts come, all receivers take what there is, and it ends. */
  const run = async (alerts: readonly number[], ...files: readonly string[]): Promise<void> => {
    const log = await openKafkaDeployment(settings, { prefix, shards: SHARDS, masterKey, door: 'front' })
    const sinks = files.map((file) => ({ ...createFileSink({ path: join(dir, file), product }), name: file }))
    const forwarder = await createForwarder({
      ...outboxPorts(log.outbox, log.kv, (atMost) => gaps.push(atMost)),
      sinks,
      budgetPerDay: 100,
      batch: 2,
    })
    const off = log.outbox.onEntries((topics) => topics.includes('alerts') && forwarder.wake())
    await log.publish('alerts', alerts.map(alertAt))
    const last = idOf(alerts.at(-1)!)
    await until('the last alert', 20_000, async () => files.every((file) => readFileSync(join(dir, file), 'utf8').includes(last)))
    const end = await log.outbox.end('alerts')
    await until('all are behind the end', 20_000, async () => forwarder.status().sinks.every(({ cursor }) => cursor >= end))
    off()
    await forwarder.close()
    await log.close()
  }
  await run([1, 2, 3, 4, 5], 'one')
  const trim = async (offset: number): Promise<void> => {
    const admin = kafka.admin()
    await admin.connect()
    // The client must have met the topic before.
    await admin.fetchTopicOffsets(names.alerts)
    await admin.deleteTopicRecords({ topic: names.alerts, partitions: [{ partition: 0, offset: String(offset) }] })
    await admin.disconnect()
  }
  await trim(3)
  await run([6, 7], 'one', 'late')
  assert.deepEqual(idsIn('one'), [1, 2, 3, 4, 5, 6, 7].map(idOf))
  assert.deepEqual(idsIn('late'), [4, 5, 6, 7].map(idOf))
  assert.deepEqual(gaps, [], 'nobody missed anything')
  // Both are away while two alerts come and go again: they go on behind them, and it is told.
  await run([8, 9])
  await trim(12)
  await run([10], 'one', 'late')
  for (const file of ['one', 'late']) assert.deepEqual(idsIn(file).slice(-2), [7, 10].map(idOf))
  assert.ok(Math.max(...gaps) >= 2, 'the receivers; what decides had passed both')
  assert.ok(gaps.length <= 2, String(gaps))
  // Everything was delivered, and retention removes all of it: nobody lost anything, and delivery goes on.
  const before = gaps.length
  await trim(-1)
  await run([11], 'one', 'late')
  for (const file of ['one', 'late']) assert.deepEqual(idsIn(file).slice(-2), [10, 11].map(idOf))
  assert.deepEqual(gaps.slice(before), [])
})
