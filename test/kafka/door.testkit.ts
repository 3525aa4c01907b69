// A process that is a deployment's door and dies at a point of its protocol:
// node door.testkit.ts <broker> <prefix> <shards> <point> <first number> <count>. Says which requests were answered.
import { openKafkaDeployment } from '@plumbline/adapters/kafka'
import { DOOR, MASTER_KEY, request } from './door-requests.ts'

const [broker, prefix, shards, point, from, count] = process.argv.slice(2) as [string, string, string, string, string, string]
let dying = false
const log = await openKafkaDeployment(
  { brokers: [broker] },
  {
    prefix,
    shards: Number(shards),
    masterKey: MASTER_KEY,
    door: DOOR,
    onPoint(at) {
      if (dying && at === point) process.kill(process.pid, 'SIGKILL')
    },
  },
)
for (let i = 0; i < Number(count); i++) {
  dying = i === Number(count) - 1
  await log.ingest(request(Number(from) + i, Number(shards)))
  process.stdout.write(`${Number(from) + i}\n`)
}
