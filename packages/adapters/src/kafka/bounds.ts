import { PlumblineError } from '@plumbline/schemas'
import type { Admin } from 'kafkajs'
import { kafkaError } from './client.ts'

/** First and next offset of a partition. */
export interface Bounds {
  readonly low: number
  readonly high: number
}

export const boundsOf = async (admin: Admin, topic: string, partition: number): Promise<Bounds> => {
  const offsets = await admin.fetchTopicOffsets(topic).catch((error: unknown) => {
    throw kafkaError('KAFKA_UNREACHABLE', `The ends of ${topic} are not known.`, error)
  })
  const found = offsets.find((offset) => offset.partition === partition)
  if (found === undefined) throw new PlumblineError('SHARD_UNKNOWN', `Topic ${topic} has no partition ${partition}.`)
  return { low: Number(found.low), high: Number(found.high) }
}
