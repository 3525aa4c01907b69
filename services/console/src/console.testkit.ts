import { once } from 'node:events'
import assert from 'node:assert/strict'
import { get } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Alert, AlertView, StatusView, Verdict } from '@plumbline/schemas'
import { compareKeys } from './cursor.ts'
import { createConsole, type Console, type ConsoleDeps } from './index.ts'
import { matches } from './live-tail.ts'

export const TOKEN = 'a-token-for-tests'
export const AUTH = { authorization: `Bearer ${TOKEN}` }
export const STATUS: StatusView = {
  ready: true,
  phase: 'waiting for events',
  progress: null,
  eventsPerSecond: 0,
  events: 0,
  alerts: 0,
  held: 0,
  deadLetters: 0,
  identities: 0,
  recorderLag: 0,
  tenants: 0,
  model: [],
  counts: [],
  demo: false,
  sinks: [],
}

export const NOTHING_JUDGED = { alerts: 0, judged: 0, confirmed: 0, safe: 0, dismissed: 0, falseDiscovery: null } as const

export interface Bench {
  readonly app: FastifyInstance
  readonly console: Console
  readonly stored: AlertView[]
  readonly verdicts: { id: string; verdict: Verdict }[]
}

/** A whole console on a real server; the store is the plain definition of the port over an array. */
export async function start(t: TestContext, overrides: Partial<ConsoleDeps> = {}): Promise<Bench> {
  const stored: AlertView[] = []
  const verdicts: Bench['verdicts'] = []
  const console = createConsole({
    readers: [{ token: TOKEN }],
    alerts: {
      page: async (filter, after, limit) =>
        stored
          .filter((alert) => matches(alert, filter) && (after === null || compareKeys(after, alert, filter.sort) < 0))
          .sort((a, b) => compareKeys(a, b, filter.sort))
          .slice(0, limit),
      find: async (id) => stored.find((alert) => alert.id === id) ?? null,
    },
    events: { at: async () => [], newest: async () => [], deadLetters: async () => [] },
    identities: { list: async () => [], find: async () => null },
    incidents: { newest: async () => [] },
    changes: { page: () => [] },
    verdictCounts: { summary: async ({ since }) => ({ since, all: NOTHING_JUDGED, families: [] }) },
    blindSpots: { of: () => null, measure: async () => null },
    verdicts: { record: async (alert, verdict) => void verdicts.push({ id: alert.id, verdict }) },
    replays: {
      replay: async ({ id, score }) => ({
        alertId: id,
        revision: 1,
        detectorVersion: '1.0.0',
        releaseId: 'release-0',
        identical: true,
        score,
        recordedScore: score,
        differences: [],
      }),
    },
    status: { now: () => STATUS },
    ingest: { watch: () => () => undefined },
    demo: null,
    endpoint: 'http://localhost:7070',
    tenant: 'default',
    epoch: 'test',
    webDir: '/nowhere',
    ...overrides,
  })
  const app = Fastify()
  await app.register(console.routes)
  await app.ready()
  t.after(() => app.close())
  return { app, console, stored, verdicts }
}

export const view = (alert: Alert): AlertView => ({ ...alert, delivery: 'delivered', verdict: null })

export interface Viewer {
  readonly events: { id: string; event: string; data: unknown }[]
  until(count: number): Promise<void>
  stop(): void
}

export async function watch(app: FastifyInstance, headers: Record<string, string> = {}): Promise<Viewer> {
  if (!app.server.listening) await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const request = get({ host: '127.0.0.1', port, path: '/v1/alerts/stream', headers: { ...AUTH, ...headers } })
  const [response] = await once(request, 'response')
  assert.equal(response.statusCode, 200)
  assert.match(response.headers['content-type'], /^text\/event-stream/)
  const events: Viewer['events'] = []
  let text = ''
  let wake = (): void => undefined
  response.setEncoding('utf8')
  response.on('error', () => undefined)
  request.on('error', () => undefined)
  response.on('data', (chunk: string) => {
    text += chunk
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const lines = text.slice(0, end).split('\n')
      text = text.slice(end + 2)
      const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? ''
      if (field('event') !== '') events.push({ id: field('id'), event: field('event'), data: JSON.parse(field('data')) })
    }
    wake()
  })
  const until = async (count: number) => {
    while (events.length < count) await new Promise<void>((resolve) => (wake = resolve))
  }
  return { events, until, stop: () => request.destroy() }
}
