import { readFileSync, writeFileSync } from 'node:fs'
import { type AppendRecord, eventKey, shardOf } from '@plumbline/detector'
import { eventJson, generate } from '@plumbline/generator'

export const SHARDS = 4
export const BATCH = 40
const START = 1_700_000_000_000

/** Small deterministic generator, so that parent and child agree on every byte of every batch. */
const mix = (seed: number, i: number): number => {
  let x = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(i + 1, 0xc2b2ae35)) >>> 0
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d) >>> 0
  x = Math.imul(x ^ (x >>> 12), 0x297a2d39) >>> 0
  return (x ^ (x >>> 15)) >>> 0
}

/** Where the requests of a run come from: made up from a seed, or cut from a file of generated events. */
export type Requests = (batch: number) => readonly AppendRecord[]

/** Events of the generated company per request, when the real detector runs. */
const COMPANY_BATCH = 100

interface CompanyLine {
  readonly tenant: string
  readonly identity: string
  readonly time: number
  readonly value: string
}

/** Writes enough generated events for `batches` requests; returns how many there are. */
export const writeCompany = (file: string, seed: number, batches: number): number => {
  const lines: string[] = []
  let time = 0
  for (const { event } of generate({ seed })) {
    if (lines.length === batches * COMPANY_BATCH) break
    time = Math.max(time, Number(event.time))
    lines.push(
      JSON.stringify({
        tenant: event.tenant ?? 'default',
        identity: event.identity.id,
        time,
        value: eventJson(event),
      } satisfies CompanyLine),
    )
  }
  writeFileSync(file, lines.join('\n'))
  return lines.length
}

export const readCompany = (file: string): Requests => {
  const lines = readFileSync(file, 'utf8').split('\n')
  return (batch) =>
    lines.slice(batch * COMPANY_BATCH, (batch + 1) * COMPANY_BATCH).map((line) => {
      const { tenant, identity, time, value } = JSON.parse(line) as CompanyLine
      return { shard: shardOf(tenant, identity, SHARDS), ingestTimeMs: time, key: eventKey(tenant, identity), value: Buffer.from(value) }
    })
}

/** Records of one request: a few identities are busy, some events are bad. */
export const batchOf = (seed: number, batch: number): AppendRecord[] =>
  Array.from({ length: BATCH }, (_, i) => {
    const random = mix(seed, batch * BATCH + i)
    const identity = random % (random & 64 ? 5 : 60)
    const refused = random % 97 === 0 ? '!' : ''
    return {
      shard: identity % SHARDS,
      ingestTimeMs: START + batch * 1_000 + i,
      key: Buffer.from(`e:id-${identity}`),
      value: Buffer.from(`${refused}{"batch":${batch},"i":${i},"r":${random}}`),
    }
  })
