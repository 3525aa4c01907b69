import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { openKafkaValues, readDeployment } from '@plumbline/adapters/kafka'
import { z } from 'zod'
import { askStore, openStore } from '../store.ts'
import type { Cluster } from './config.ts'

const Named = z.object({ tenant: z.string(), identity: z.string() })

/** Names of all identities that the ClickHouse of a deployment has rows of; none without one. Errors: those of `askStore`. */
export async function* identityNames(url: string): AsyncGenerator<z.output<typeof Named>, void, undefined> {
  if (url === '') return
  const store = await openStore({ clickhouse: url }, 'reader')
  try {
    const answer = await askStore(store, 'SELECT tenant, identity FROM identities GROUP BY tenant, identity', 'JSONEachRow')
    if (answer.body === null) return
    for await (const line of createInterface({ input: Readable.fromWeb(answer.body as ReadableStream<Uint8Array>) }))
      if (line !== '') yield Named.parse(JSON.parse(line))
  } finally {
    await store.close()
  }
}

/** Number of shards of a deployment as its topics say. Errors: DEPLOYMENT_MISSING, DEPLOYMENT_MOVED. */
export const presentShards = async ({ settings, prefix }: Cluster): Promise<number> => {
  const values = await openKafkaValues(settings, { prefix })
  try {
    return readDeployment(values).shards
  } finally {
    await values.close()
  }
}
