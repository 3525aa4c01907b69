import { z } from 'zod'

const count = z.number().int().nonnegative()

/** Where a worker keeps what it tells of a shard, among the named values of the deployment. */
export const progressName = (shard: number): string => `progress:${shard}`

/** How a shard gets on, told by the worker that holds it: at most every 2 s, and when it changed.. */
export const ShardProgress = z.object({
  v: z.literal(1),
  atMs: count.meta({ unit: 'ms since epoch' }),
  position: count.meta({ description: 'Of the next record to score.' }),
  tenants: z.array(
    z.object({
      name: z.string(),
      events: count.meta({ description: 'Scored so far in this shard.' }),
      groupNames: z.array(z.tuple([z.number().int(), z.string()])).meta({ description: 'Declared peer groups met, by fingerprint.' }),
      release: z
        .object({ id: z.string(), trained: z.boolean(), alertsFrom: z.number().meta({ description: 'Score from which an event alerts.' }) })
        .nullable(),
    }),
  ),
  counters: z.record(z.string(), count).meta({ description: 'Of the process that holds the shard, since it started.' }),
  resident: count.meta({ description: 'Identities in memory of that process.' }),
  evictions: count,
  stopped: z.string().nullable().meta({ description: 'What keeps the shard from going on until somebody acts.' }),
})
export type ShardProgress = z.infer<typeof ShardProgress>
