import { PlumblineError } from '@plumbline/schemas'
import { type KafkaSettings, createKafka, kafkaError } from '../client.ts'
import { type Bases, eventBase } from '../bases.ts'
import { markMoved } from '../deployment-value.ts'
import { readLag } from '../lag.ts'
import { connectProducer, writeBarrier } from '../shard.ts'
import { topicNames } from '../topics.ts'
import { openKafkaValues } from '../values.ts'

/** Errors: DEPLOYMENT_RUNNING, and those of `readLag`. */
export const refuseWhileWorking = async (settings: KafkaSettings, prefix: string): Promise<void> => {
  const { members, recorders } = await readLag(settings, { prefix })
  if (members + recorders === 0) return
  throw new PlumblineError(
    'DEPLOYMENT_RUNNING',
    `${members} workers and ${recorders} recorders of ${prefix} are running. Stop the front, all workers and all recorders first; one that was killed leaves after its session of 10 s.`,
    { retryable: true },
  )
}

/** Takes every shard away from whoever may still hold it: nothing more is committed under this prefix. */
export const fenceShards = async (settings: KafkaSettings, prefix: string, shards: number): Promise<void> => {
  const kafka = createKafka(settings)
  for (let shard = 0; shard < shards; shard++) {
    const producer = await connectProducer(kafka, `${prefix}.shard-${shard}`)
    try {
      await writeBarrier(producer, topicNames(prefix).state, shard, () => {})
    } catch (error) {
      throw kafkaError('KAFKA_UNREACHABLE', `Shard ${shard} could not be taken from its former owner.`, error)
    } finally {
      await producer.disconnect()
    }
  }
}

/**
 * Cuts over: events that came after `ends` would be left behind, so that is refused; then nobody opens the former topics any
 * more. Error: EVENTS_LEFT_BEHIND.
 */
export const leaveFor = async (
  settings: KafkaSettings,
  { prefix, ends, bases }: { readonly prefix: string; readonly ends: readonly number[]; readonly bases: Bases },
  toPrefix: string,
): Promise<void> => {
  const { shards } = await readLag(settings, { prefix })
  const late = shards.filter(({ shard, end }) => end + eventBase(bases, shard) > Math.max(ends[shard] ?? 0, eventBase(bases, shard)))
  if (late.length > 0) {
    throw new PlumblineError(
      'EVENTS_LEFT_BEHIND',
      `Events came into ${late.length} shards of ${prefix} while it was moved: its front is not stopped. Stop it, and begin again with another prefix than ${toPrefix}.`,
    )
  }
  const values = await openKafkaValues(settings, { prefix })
  try {
    await markMoved(values, toPrefix)
  } finally {
    await values.close()
  }
}
