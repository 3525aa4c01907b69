// A process that closes its log and its group while no broker answers: node closing.testkit.ts <broker> <prefix> <shards>.
// It must end by itself.
import { createShardGroup, openKafkaLog } from '@plumbline/adapters/kafka'
import { startBrokerProxy } from '../support/kafka/proxy.ts'

const [broker, prefix, shards] = process.argv.slice(2) as [string, string, string]
const proxy = await startBrokerProxy(broker)
const settings = { brokers: [broker], socketFactory: proxy.socketFactory }
const log = await openKafkaLog(settings, { prefix, shards: Number(shards) })
const group = await createShardGroup(settings, {
  prefix,
  shards: Number(shards),
  onAssigned() {},
  onRevoked() {},
  onFailed() {},
})
await log.acquire(0)
await log.read(0, 0, 1)
proxy.loseAnswers()
// The consumers notice with their next request, and are then somewhere between two tries to join again.
const failed = await log.acquire(0).then(
  () => false,
  () => true,
)
await Promise.all([log.close(), group.leave()])
// From here on a member that was left behind would get through, and stay.
proxy.heal()
proxy.unref()
process.stdout.write(failed ? 'closed' : 'the proxy lost nothing')
