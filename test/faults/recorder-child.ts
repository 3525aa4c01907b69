/** A recorder of several, in a process of its own. Says what it takes and is told; is armed by anything on its stdin; ends when its stdin does. Argument: JSON of RecorderPlan. */
import { randomUUID } from 'node:crypto'
import { writeSync } from 'node:fs'
import { connect } from '@plumbline/adapters/clickhouse'
import { type ShardGroup, createLaneGroup, openKafkaOutboxLog } from '@plumbline/adapters/kafka'
import { type RecorderPoint, createRecorder } from '../../services/recorder/src/index.ts'
import { SHARDS } from '../support/kafka/cluster.ts'
import type { RecorderPlan } from './recorder-kafka.ts'

const say = (line: string): void => void writeSync(1, `${line}\n`)

const { brokers, prefix, url, password, sessionMs, blockBytes, at } = JSON.parse(process.argv[2] ?? '') as RecorderPlan
let hits = 0
let armed = sessionMs === null
const onPoint = (point: RecorderPoint): void => {
  if (!armed || point !== at?.point || ++hits !== at.hit) return
  say(`fired ${point}`)
  process.kill(process.pid, at.signal)
}
const log = await openKafkaOutboxLog({ brokers }, { prefix })
const store = connect({ url, user: 'recorder', password, timeoutMs: 5_000 })
const recorder = createRecorder({
  log,
  store: () => store,
  ...(sessionMs === null ? {} : { owner: randomUUID() }),
  lingerMs: 2,
  blockBytes,
  maxBackoffMs: 200,
  onPoint,
  onFailure: ({ code, topic }) => say(`failed ${code} ${topic}`),
})
await recorder.start()
say('started')
const join = (session: number): Promise<ShardGroup> =>
  createLaneGroup(
    { brokers },
    {
      prefix,
      lanes: SHARDS,
      sessionMs: session,
      onAssigned(lanes) {
        say(`took ${lanes.join()}`)
        recorder.take(lanes)
      },
      onRevoked(lanes) {
        say(`gave ${lanes.join()}`)
        void recorder.release(lanes)
      },
      onFailed: (error) => say(`group ${error.message}`),
    },
  )
const group = sessionMs === null ? null : await join(sessionMs)
process.stdin.on('data', () => {
  armed = true
})
process.stdin.once('end', () => {
  void (async () => {
    // In this order: what is under way is finished and told before another recorder takes the lanes.
    await recorder.stop()
    await group?.leave()
    await store.close()
    await log.close()
    say('done')
  })()
})
