import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Fastify from 'fastify'
import { type Store, connect, engineProblem, migrate, startEngine } from '@plumbline/adapters/clickhouse'
import { alertReader, eventReader, identityReader, incidentReader, verdictReader } from '@plumbline/adapters/clickhouse/read'
import { type BlindSpotSource, type ChangeStore, type Console, type DemoControl, createConsole } from '@plumbline/console'
import { type Alert, type IngestNotice, PlumblineError, type StatusView } from '@plumbline/schemas'
import { createChangeList } from '../../services/standalone/src/change-list.ts'
import { changesValueName, createChanges, type KnownChange } from '../../services/standalone/src/changes.ts'
import { type SeedEvent, seed } from '../../packages/adapters/src/clickhouse/read/seed.testkit.ts'

export const TOKEN = 'browser-test-token'

export interface BenchOptions {
  readonly alerts: readonly Alert[]
  readonly events: readonly SeedEvent[]
  /** Default: no demo. */
  readonly demo?: DemoControl
  /** Default: nothing was measured, and nobody is there to be. */
  readonly blindSpots?: BlindSpotSource
  /** What is remembered of announced changes, by tenant. Default: nothing. */
  readonly changes?: Readonly<Record<string, readonly KnownChange[]>>
}

export interface Bench {
  readonly origin: string
  readonly console: Console
  readonly store: Store
  status: StatusView
  /** Hands a notice to the console as the gateway does after an event is durable. */
  notice(notice: IngestNotice): void
  /** Breaks every connection there is, as a failing network does. */
  dropConnections(): void
  stop(): Promise<void>
}

/** Why the page cannot be tried against its real store here, or undefined. */
export const benchProblem = (): string | undefined => engineProblem()?.message

/** Announced changes as the service lists them, over the named values of a log. */
const changeListOf = (known: Readonly<Record<string, readonly KnownChange[]>>): ChangeStore => {
  const values = new Map(Object.entries(known).map(([tenant, list]) => [changesValueName(tenant), Buffer.from(JSON.stringify(list))]))
  const refuse = (): Promise<never> => Promise.reject(new Error('nothing is announced here'))
  const kv = { get: (name: string) => values.get(name), list: () => [...values.keys()], put: refuse }
  const log = () => ({ kv, shards: 1, ingest: refuse })
  return createChangeList({ changes: createChanges({ log, clock: Date.now }), log, clock: Date.now })
}

/** The real page, API and ClickHouse with rows as the recorder writes them; verdicts go to the feedback table. */
export async function startBench(options: BenchOptions): Promise<Bench> {
  execFileSync(process.execPath, [fileURLToPath(new URL('../../services/console/scripts/build-web.mjs', import.meta.url))], {
    stdio: 'pipe',
  })
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-page-'))
  const engine = await startEngine({ dir })
  const store = connect({ url: engine.url, user: 'owner', password: engine.passwords.owner })
  const reader = connect({ url: engine.url, user: 'reader', password: engine.passwords.reader })
  await migrate(store)
  await seed.events(store, options.events)
  await seed.alerts(store, options.alerts)
  let listener: (notices: readonly IngestNotice[]) => void = () => undefined
  let sequence = 0
  const bench = {
    status: {
      ready: true,
      phase: 'Waiting for events',
      progress: null,
      eventsPerSecond: 412,
      events: 1_204_331,
      alerts: options.alerts.length,
      held: 3,
      deadLetters: 0,
      identities: 128,
      recorderLag: 0,
      tenants: 0,
      model: [{ tenant: 'default', releaseId: 'r1', trained: true, alertsFrom: 66, held: null }],
      counts: [{ tenant: 'default', alerts: 17, held: 1, historic: 0, deadLetters: 0, identities: 12 }],
      demo: options.demo !== undefined,
      sinks: [],
    } satisfies StatusView as StatusView,
  }
  const console = createConsole({
    readers: [{ token: TOKEN }],
    alerts: alertReader(reader),
    events: eventReader(reader),
    identities: identityReader(reader),
    incidents: incidentReader(reader),
    changes: changeListOf(options.changes ?? {}),
    verdictCounts: verdictReader(reader),
    blindSpots: options.blindSpots ?? { of: () => null, measure: async () => null },
    verdicts: { record: (alert, verdict) => seed.verdict(store, ++sequence, alert, verdict) },
    replays: { replay: () => Promise.reject(new PlumblineError('REPLAY_PENDING', 'Nothing is replayed here.')) },
    status: { now: () => bench.status },
    ingest: {
      watch: (callback) => {
        listener = callback
        return () => (listener = () => undefined)
      },
    },
    demo: options.demo ?? null,
    endpoint: 'http://localhost:7070',
    tenant: 'default',
    epoch: 'bench',
    limits: { statusMs: 100 },
  })
  const app = Fastify()
  await app.register(console.routes)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  return Object.assign(bench, {
    origin: `http://127.0.0.1:${port}`,
    console,
    store,
    notice: (notice: IngestNotice) => listener([notice]),
    dropConnections: () => app.server.closeAllConnections(),
    stop: async () => {
      await app.close()
      await store.close()
      await reader.close()
      await engine.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  })
}

const HOUR = 3_600_000

/** Six days of an identity's ordinary hours, busier by day, and a loud last hour. */
export function ordinaryDays(tenant: string, identity: string, until: number): SeedEvent[] {
  const actions = [
    ['search', 'wiki'],
    ['read', 'crm'],
    ['reply', 'messages'],
  ] as const
  const events: SeedEvent[] = []
  for (let hour = 144; hour >= 0; hour--) {
    const time = Math.floor((until - hour * HOUR) / HOUR) * HOUR
    const busy = new Date(time).getUTCHours() >= 8 && new Date(time).getUTCHours() < 18 ? 9 : 1
    for (let i = 0; i < busy + (hour % 3) + (hour === 0 ? 30 : 0); i++) {
      const [action, resourceClass] = actions[i % actions.length] ?? actions[0]
      const loud = hour === 0 && i > 12
      events.push({
        tenant,
        identity,
        time: Math.min(time + i * 60_000, until),
        shard: 0,
        offset: events.length + 2000,
        session: `s-${hour}`,
        action: loud ? 'hr.read' : action,
        resourceClass: loud ? 'hr' : resourceClass,
        resource: loud ? `employees/${4800 + i}` : '',
        destination: i % 4 === 0 ? 'mail.example' : '',
        bytesOut: 900 * (1 + (i % 5)),
        score: loud ? 88 + (i % 12) : 4 + ((hour * 7 + i * 5) % 22),
        flags: loud ? 32 + 256 : 4,
      })
    }
  }
  return events
}
