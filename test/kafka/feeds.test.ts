import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openKafkaDeployment } from '@plumbline/adapters/kafka'
import { createDoor } from '@plumbline/gateway'
import { createMetrics } from '@plumbline/runtime'
import type { FeedHeader } from '@plumbline/schemas'
import { createFeeds } from '../../services/standalone/src/operator/feeds.ts'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { SHARDS, clusterFor } from '../support/kafka/cluster.ts'
import { END_TXN, startBrokerProxy } from '../support/kafka/proxy.ts'
import { readCommitted } from '../support/kafka/topics.ts'

const { brokers, skip } = await kafkaBroker()
const FILE = 'aa'

test('history whose outcome was not known is in the log once when it is sent again, and goes on from there', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const { kafka, names, prefix, settings, keep } = await clusterFor(t, brokers)
  const proxy = await startBrokerProxy(brokers[0]!)
  t.after(() => proxy.close())
  let armed = false
  const log = keep(
    await openKafkaDeployment(
      { ...settings, socketFactory: proxy.socketFactory },
      {
        prefix,
        shards: SHARDS,
        masterKey: Buffer.alloc(32, 1),
        door: 'front',
        waitMs: 4_000,
        onPoint(point) {
          if (!armed || point !== 'sent') return
          armed = false
          // The transaction ends, its answer is lost, and so is what a fetch that waits at the broker would tell of it.
          proxy.loseAnswersFrom(END_TXN)
        },
      },
    ),
  )
  const metrics = createMetrics()
  const feeds = createFeeds({
    log,
    clock: Date.now,
    signal: new AbortController().signal,
    pace: async () => {},
    onFeed: async () => {},
    doorOver: (port, stamp) => createDoor({ port, stamp, shards: SHARDS, clock: Date.now, metrics }),
  })
  const now = Date.now()
  const line = (n: number): Uint8Array =>
    Buffer.from(
      JSON.stringify({
        v: 1,
        id: `e${n}`,
        time: now - 10_000 + n,
        identity: { id: 'bot', kind: 'agent' },
        action: 'read',
        resource: { class: 'file' },
      }),
    )
  const lines = [0, 1, 2, 3, 4].map(line)
  const header = (from: number, to: number): FeedHeader => ({
    mode: 'history',
    tenant: 'default',
    id: `run:${from}`,
    arrival: 1,
    from: { [FILE]: from },
    to: { [FILE]: to },
  })
  armed = true
  await assert.rejects(feeds.take(header(0, 5), lines), { code: 'INGEST_UNKNOWN', retryable: true })
  // The copy of values here knows nothing of it.
  assert.deepEqual(feeds.places('default', [FILE]), { [FILE]: 0 })
  const answer = feeds.take(header(0, 5), lines)
  proxy.heal()
  const again = await answer
  assert.deepEqual(again, { state: 'taken', arrival: now - 10_000 + 4, accepted: 5, rejected: 0, errors: [] })
  assert.deepEqual(feeds.places('default', [FILE]), { [FILE]: 5 })
  assert.equal((await feeds.take(header(5, 6), [line(5)])).state, 'taken')
  const events = (await readCommitted(kafka, names.events)).map(({ value }) => (JSON.parse(value!.toString()) as { id: string }).id)
  assert.deepEqual(events.sort(), ['e0', 'e1', 'e2', 'e3', 'e4', 'e5'])
})
