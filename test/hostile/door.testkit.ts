import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EmbeddedLog, openEmbeddedLog } from '@plumbline/adapters/lmdb'
import { createGateway, createIngestClock, type Credential, type GatewayOptions } from '@plumbline/gateway'
import { createHealth, createMetrics, type Metrics } from '@plumbline/runtime'
import { DeadLetter, type IngestAnswer } from '@plumbline/schemas'

export const TOKEN = 'test-token-0123456789abcdef'
export const NOW = Date.UTC(2026, 1, 1, 12)
const SHARDS = 8

export interface Stored {
  readonly id: string
  readonly event: Record<string, unknown>
  readonly ingestTimeMs: number
  readonly shard: number
}

/** The real door on the real embedded log, listening on loopback. */
export interface TestDoor {
  readonly url: string
  readonly log: EmbeddedLog
  readonly metrics: Metrics
  now: number
  post(body: string | Uint8Array, headers?: Record<string, string>): Promise<{ status: number; headers: Headers; answer: IngestAnswer }>
  request(path: string, init: RequestInit): Promise<Response>
  events(): Promise<Stored[]>
  deadLetters(): Promise<DeadLetter[]>
  close(): Promise<void>
}

export const openDoor = async (
  options: Partial<GatewayOptions> & { readonly credentials?: readonly Credential[] } = {},
): Promise<TestDoor> => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-door-'))
  const log = await openEmbeddedLog({ dir, shards: SHARDS })
  const metrics = createMetrics()
  const door = { now: NOW }
  const app = createGateway({
    port: log,
    shards: SHARDS,
    credentials: [{ id: 'test', token: TOKEN }],
    clock: createIngestClock(() => door.now),
    metrics,
    health: createHealth(),
    ...options,
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
  const request = (path: string, init: RequestInit): Promise<Response> => fetch(url + path, init)
  return Object.assign(door, {
    url,
    log,
    metrics,
    request,
    async post(body: string | Uint8Array, headers: Record<string, string> = {}) {
      const response = await request('/v1/events', {
        method: 'POST',
        body: body as string,
        headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', ...headers },
      })
      return { status: response.status, headers: response.headers, answer: (await response.json()) as IngestAnswer }
    },
    async events() {
      const out: Stored[] = []
      for (let shard = 0; shard < SHARDS; shard++) {
        for (const record of await log.read(shard, 0, 100_000)) {
          const event = JSON.parse(Buffer.from(record.value).toString()) as Record<string, unknown>
          out.push({ id: String(event['id']), event, ingestTimeMs: record.ingestTimeMs, shard })
        }
      }
      return out.sort((a, b) => (a.id < b.id ? -1 : 1))
    },
    deadLetters: async () =>
      (await log.outbox.read('dead-letters', 0, 1e9)).map((entry) => DeadLetter.parse(JSON.parse(Buffer.from(entry.payload).toString()))),
    async close() {
      await app.close()
      await log.close()
      rmSync(dir, { recursive: true, force: true })
    },
  })
}

export const event = (id: string, extra: Record<string, unknown> = {}): Record<string, unknown> => ({
  id,
  time: NOW,
  identity: { id: 'bot', kind: 'agent' },
  action: 'read',
  resource: { class: 'crm' },
  ...extra,
})
export const line = (id: string, extra: Record<string, unknown> = {}): string => JSON.stringify(event(id, extra))
