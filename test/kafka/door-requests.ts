import type { IngestBatch } from '@plumbline/detector'
import type { DeadLetter } from '@plumbline/schemas'

export const DOOR = 'front'
export const MASTER_KEY = Buffer.alloc(32, 3)

const letter = (message: string): DeadLetter => ({
  v: 1,
  stage: 'door',
  code: 'JSON_SYNTAX',
  field: '',
  message,
  tenant: 't',
  topic: 'http',
  shard: -1,
  offset: -1,
  ingestTime: 1,
  payload: '',
})

/** Request number n: two events in different shards, a refused line, a value that counts, and a key of its own. */
export const request = (n: number, shards: number): IngestBatch => ({
  records: [n, n + 1].map((at, i) => ({
    shard: at % shards,
    ingestTimeMs: 1_000,
    key: Buffer.from(`e:t|${n}`),
    value: Buffer.from(`${n}.${i}`),
  })),
  deadLetters: [letter(`refused in ${n}`)],
  values: { [`sent:${n}`]: Buffer.from(`${n}`) },
  idempotency: { tenant: 't', key: `request-${n}`, answer: Buffer.from(`answer ${n}`), nowMs: 1_000 },
})
