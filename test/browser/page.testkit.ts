import { mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import type { DemoControl } from '@plumbline/console'
import type { Alert, DemoTryRequest } from '@plumbline/schemas'
import { type SeedEvent, seed } from '../../packages/adapters/src/clickhouse/read/seed.testkit.ts'
import { XSS_CORPUS, realisticAlerts } from './alerts.ts'
import { type Bench, type BenchOptions, TOKEN, benchProblem, ordinaryDays, startBench } from './bench.ts'
import { chromiumProblem, launch } from './chromium.ts'

/** Why the page cannot be tried in a browser here, or false. */
export const skip = chromiumProblem() ?? benchProblem() ?? false
export const shots = join(tmpdir(), 'plumbline-screenshots')
export const now = Date.now()
export const ALERTS = realisticAlerts(50, now)
export const FIRST = ALERTS[0] as Alert

/** What the demo's ports do, kept to one act; the real demo is tried with the whole service. */
const demoOf = (benchNow: () => Bench, removed: () => void): DemoControl => ({
  options: () => ({
    agents: [{ id: 'support-bot', kind: 'agent' as const, role: 'customer support' }],
    attacks: [
      { id: 'hr_access', name: 'Reads HR records', story: 'It starts to read HR.', benign: 'HR asked it to.', agents: [], size: 10 },
    ],
    sizes: [{ value: 10, label: 'Medium (10 ×)' }],
  }),
  play: async (request: DemoTryRequest) => {
    const session = `try-${crypto.randomUUID()}`
    const quiet = {
      tenant: 'demo',
      identity: request.agent,
      time: Date.now(),
      shard: 1,
      offset: Date.now(),
      session,
      score: 12,
    } satisfies SeedEvent
    const mark = `-${quiet.offset}`
    if (request.benign) await seed.events(benchNow().store, [quiet])
    else
      queueMicrotask(() =>
        benchNow().console.publish({ ...FIRST, id: session, facts: { ...FIRST.facts, tenant: 'demo', session } }, 'delivered'),
      )
    return {
      tenant: 'demo',
      identity: request.agent,
      sessions: [session],
      mark,
      events: 1,
      bytesOut: 0,
      expect: request.benign ? ('quiet' as const) : ('alert' as const),
    }
  },
  remove: async () => removed(),
})

/** Ordinary days of an agent, what its alert names, and events whose every text is code. */
const eventsOf = (): SeedEvent[] => {
  const evidence = [
    {
      tenant: 'default',
      identity: 'support-bot',
      time: now,
      shard: 0,
      offset: 1000,
      action: 'hr.read',
      resourceClass: 'hr',
      score: 99,
      flags: 32,
    },
  ]
  const hostile = XSS_CORPUS.map((text, i) => ({
    tenant: 'hostile',
    identity: text,
    time: now,
    shard: 9,
    offset: 5000 + i,
    session: text,
    action: text,
    resourceClass: text,
    resource: text,
    destination: text,
  }))
  return [...ordinaryDays('default', 'support-bot', now), ...evidence, ...hostile]
}

export interface Opened {
  readonly context: BrowserContext
  readonly page: Page
  /** Errors of the page and requests that left the server's own address. */
  readonly trouble: string[]
}

interface OpenOptions {
  readonly hash?: string
  readonly width?: number
  readonly dark?: boolean
  readonly token?: string
}

/** A page over its real store, and a browser to look at it. */
export interface Rig {
  readonly bench: Bench
  open(options?: OpenOptions): Promise<Opened>
  /** To another view of the page that is open. */
  go(page: Page, hash: string): Promise<unknown>
  stop(): Promise<void>
}

const openPage = async (browser: Browser, { origin }: Bench, options: OpenOptions): Promise<Opened> => {
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1440, height: 900 },
    colorScheme: options.dark === true ? 'dark' : 'light',
  })
  const page = await context.newPage()
  const trouble: string[] = []
  page.on('pageerror', (error) => trouble.push(error.message))
  page.on('console', (message) => message.type() === 'error' && !message.text().includes('404') && trouble.push(message.text()))
  page.on('request', (request) => !request.url().startsWith(origin) && !request.url().startsWith('data:') && trouble.push(request.url()))
  page.on('dialog', (dialog) => {
    trouble.push(`dialog ${dialog.message()}`)
    void dialog.dismiss()
  })
  await page.goto(`${origin}/#token=${options.token ?? TOKEN}`)
  if (options.hash !== undefined) {
    await page.waitForSelector('.row')
    await page.goto(`${origin}/${options.hash}`)
  }
  return { context, page, trouble }
}

export interface RigOptions extends Pick<BenchOptions, 'blindSpots' | 'changes'> {
  /** The demo was removed. */
  readonly removed?: () => void
}

export const startRig = async ({ removed = () => undefined, ...more }: RigOptions = {}): Promise<Rig> => {
  mkdirSync(shots, { recursive: true })
  const bench: Bench = await startBench({ alerts: ALERTS, events: eventsOf(), demo: demoOf(() => bench, removed), ...more })
  const browser = await launch()
  return {
    bench,
    open: (options = {}) => openPage(browser, bench, options),
    go: (page, hash) => page.goto(`${bench.origin}/${hash}`),
    async stop() {
      await browser.close()
      await bench.stop()
    },
  }
}
