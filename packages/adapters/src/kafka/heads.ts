import type { DeploymentLog } from '@plumbline/detector'
import { PlumblineError } from '@plumbline/schemas'
import type { Admin } from 'kafkajs'
import { kafkaError } from './client.ts'

export type Head = ReturnType<DeploymentLog['head']>

/** Ends of the shards and how far the workers are, as the brokers said last. */
export interface Heads {
  head(shard: number): Head
  /** This process has appended up to `end`. */
  noteEnd(shard: number, end: number): void
  /** Asks the brokers now. Error: KAFKA_UNREACHABLE. */
  refresh(): Promise<void>
  /** When the brokers answered last, ms since epoch. */
  asOfMs(): number
  close(): void
}

export interface HeadsOptions {
  readonly admin: Admin
  readonly topic: string
  /** Group whose offsets follow the positions of the workers. */
  readonly groupId: string
  readonly shards: number
  /** What is added to offsets to get positions (bases.ts). */
  readonly baseOf: (shard: number) => number
  /** Default 1,000 ms. */
  readonly everyMs?: number
}

/** A head whose position may be unknown: nobody has processed anything of the shard yet. */
export interface BrokerHead {
  readonly first: number
  readonly next: number
  readonly position: number | null
}

/** One question for the ends and one for the group's offsets, for all shards together. */
export const fetchHeads = async ({ admin, topic, groupId, shards }: Omit<HeadsOptions, 'everyMs' | 'baseOf'>): Promise<BrokerHead[]> => {
  const [ends, [group]] = await Promise.all([admin.fetchTopicOffsets(topic), admin.fetchOffsets({ groupId, topics: [topic] })])
  const endOf = new Map(ends.map(({ partition, low, high }) => [partition, { first: Number(low), next: Number(high) }]))
  const positionOf = new Map(group?.partitions.map(({ partition, offset }) => [partition, Number(offset)]))
  return Array.from({ length: shards }, (_, shard) => ({
    ...(endOf.get(shard) ?? { first: 0, next: 0 }),
    position: (positionOf.get(shard) ?? -1) < 0 ? null : positionOf.get(shard)!,
  }))
}

export const openHeads = async (options: HeadsOptions): Promise<Heads> => {
  const { topic, shards, baseOf, everyMs = 1_000 } = options
  let heads: readonly BrokerHead[] = []
  let atMs = 0
  const appended = new Map<number, number>()

  const refresh = async (): Promise<void> => {
    heads = await fetchHeads(options).catch((error: unknown) => {
      throw kafkaError('KAFKA_UNREACHABLE', `The ends of ${topic} are not known.`, error)
    })
    atMs = Date.now()
  }
  await refresh()

  let timer: NodeJS.Timeout | undefined
  let closed = false
  const poll = (): void => {
    if (closed) return
    timer = setTimeout(() => {
      // While the brokers are away the last answer stands; asOfMs tells its age.
      void refresh()
        .catch(() => {})
        .finally(poll)
    }, everyMs)
    timer.unref()
  }
  poll()

  return {
    head(shard) {
      const head = heads[shard]
      if (head === undefined) throw new PlumblineError('SHARD_UNKNOWN', `There is no shard ${shard}; shards are 0 to ${shards - 1}.`)
      const base = baseOf(shard)
      return {
        first: head.first + base,
        position: (head.position ?? 0) + base,
        next: Math.max(head.next + base, appended.get(shard) ?? 0),
      }
    },
    noteEnd(shard, end) {
      appended.set(shard, Math.max(end, appended.get(shard) ?? 0))
    },
    refresh,
    asOfMs: () => atMs,
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}
