import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openKafkaDeployment } from '@plumbline/adapters/kafka'
import { createForwarder, outboxPorts } from '@plumbline/adapters/siem'
import type { Logger } from '@plumbline/runtime'
import { alertFor } from '../../packages/adapters/src/siem/testing.ts'
import { seatedLog, takeSeat } from '../../services/standalone/src/front/seat.ts'
import { createPolicyLoader } from '../../services/standalone/src/policy.ts'
import { until } from '../e2e/instance.testkit.ts'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { SHARDS, clusterFor } from '../support/kafka/cluster.ts'
import { readCommitted } from '../support/kafka/topics.ts'

const { brokers, skip } = await kafkaBroker()

test('a front that has lost its seat and is slow to stop changes no policy, delivers nothing and saves no place', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-seat-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const { kafka, settings, prefix, names } = await clusterFor(t, brokers)
  const masterKey = Buffer.alloc(32, 1)
  /** What of a front writes by itself, not told to stop. */
  const front = async (name: string, sensitivity: number) => {
    const raw = await openKafkaDeployment(settings, { prefix, shards: SHARDS, masterKey, door: 'front' })
    const lost = Promise.withResolvers<string>()
    const seat = await takeSeat(raw.kv, lost.resolve)
    const log = seatedLog(raw, seat)
    const path = join(dir, `${name}.yaml`)
    writeFileSync(path, `resources:\n  - match: { resource: ${name} }\n    sensitivity: ${sensitivity}\n`)
    const refused = Promise.withResolvers<void>()
    const warn = ({ err }: { err?: { code?: string } }): void => void (err?.code === 'FRONT_REPLACED' && refused.resolve())
    const logger = { info: () => {}, warn } as unknown as Logger
    const policy = createPolicyLoader({ log, path, tenants: () => ['default'], clock: Date.now, logger })
    await policy.start()
    const got: string[] = []
    const forwarder = await createForwarder({
      ...outboxPorts(log.outbox, log.kv),
      sinks: [{ name: 'one', deliver: async (alerts) => void got.push(...alerts.map(({ id }) => id)), close: async () => {} }],
      budgetPerDay: 100,
      retryPauseMs: 20,
    })
    const off = log.outbox.onEntries(() => forwarder.wake())
    t.after(async () => {
      off()
      await Promise.all([policy.stop(), forwarder.close()])
      seat.leave()
      await raw.close()
    })
    return { raw, log, lost: lost.promise, refused: refused.promise, got, forwarder }
  }
  const first = await front('old', 1)
  await first.log.publish('alerts', [alertFor(1)])
  await until('the first alert', 10_000, async () => first.got.length === 1)
  const second = await front('new', 2)
  assert.match(await first.lost, /^Another front has taken this deployment over/)
  // Its timer asks whether the policy is its own, which it is not.
  await first.refused
  await second.log.publish('alerts', [alertFor(2)])
  const { id } = alertFor(2)
  await until('the second alert', 10_000, async () => second.got.includes(id))
  // It has heard of the alert, and tries.
  first.forwarder.wake()
  await until('a try', 10_000, async () => (first.forwarder.status().sinks[0]?.failures ?? 0) > 2)
  assert.equal(first.forwarder.status().sinks[0]?.waiting?.code, 'FRONT_REPLACED')
  assert.deepEqual([first.got.length, second.got], [1, [id]], 'each alert once')
  for (const write of [
    () => first.log.ingest({ records: [] }),
    () => first.log.publish('audit', []),
    () => first.log.kv.put({ x: Buffer.from('1') }),
  ])
    await assert.rejects(write, { code: 'FRONT_REPLACED' })
  assert.equal(second.raw.kv.get('x'), undefined)
  const controls = (await readCommitted(kafka, names.events)).map(
    ({ value }) => JSON.parse(value!.toString()) as { policy: { resources: { sensitivity: number }[] } },
  )
  assert.deepEqual(
    controls.map(({ policy }) => policy.resources[0]?.sensitivity).sort(),
    [...Array<number>(SHARDS).fill(1), ...Array<number>(SHARDS).fill(2)],
    'one change of policy each',
  )
})
