import assert from 'node:assert/strict'
import { type Socket, connect } from 'node:net'
import { test } from 'node:test'
import { Kafka, logLevel } from 'kafkajs'
import { connectAdmin } from '../../packages/adapters/src/kafka/access.ts'
import { until } from '../e2e/instance.testkit.ts'
import { kafkaBroker } from '../support/kafka/broker.ts'
import { clusterFor } from '../support/kafka/cluster.ts'

const { brokers, skip } = await kafkaBroker()

test('an admin client that is closed while it asks leaves no connection, and connects for nobody any more', {
  skip,
  timeout: 60_000,
}, async (t) => {
  const { names } = await clusterFor(t, brokers)
  const sockets = new Set<Socket>()
  let made = 0
  const kafka = new Kafka({
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
    socketFactory: ({ host, port, onConnect }) => {
      const socket = connect({ host, port }, onConnect)
      made++
      sockets.add(socket.once('close', () => sockets.delete(socket)))
      return socket
    },
  })
  const admin = await connectAdmin(kafka, { brokers })
  // Asked one after the other, so that some are tried again once the connection is gone.
  const asked = Array.from({ length: 20 }, () => admin.fetchTopicOffsets(names.events))
  await admin.disconnect()
  await Promise.allSettled(asked)
  await until('all connections gone', 10_000, async () => sockets.size === 0)
  const before = made
  await assert.rejects(admin.fetchTopicOffsets(names.events), { code: 'KAFKA_UNREACHABLE', retryable: true })
  assert.equal(made, before, 'nobody connected')
})
