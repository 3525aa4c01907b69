import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { type Alert, type BlindSpot, blindSpotText, type BlindSpots, type DemoTryRequest } from '@plumbline/schemas'
import { type SeedEvent, seed } from '../../packages/adapters/src/clickhouse/read/seed.testkit.ts'
import { XSS_CORPUS, hostileAlert, hostileIncident, realisticAlerts } from './alerts.ts'
import { type Bench, TOKEN, benchProblem, ordinaryDays, startBench } from './bench.ts'
import { chromiumProblem, launch } from './chromium.ts'

const skip = chromiumProblem() ?? benchProblem() ?? false
const shots = join(tmpdir(), 'plumbline-screenshots')
const now = Date.now()
const ALERTS = realisticAlerts(50, now)
const FIRST = ALERTS[0] as Alert

let bench: Bench
let browser: Browser
let removals = 0

/** What the demo's ports do, kept to one act; the real demo is tried with the whole service. */
const demo = {
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
    if (request.benign) await seed.events(bench.store, [quiet])
    else
      queueMicrotask(() =>
        bench.console.publish({ ...FIRST, id: session, facts: { ...FIRST.facts, tenant: 'demo', session } }, 'delivered'),
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
  remove: async () => void removals++,
}

/** What the self-test found of `support-bot`, once it was asked for. */
let found: BlindSpots | null = null
const SPOTS: readonly BlindSpot[] = [
  { kind: 'volume_out', unit: 'bytes', alertsFrom: 41e6, upTo: 2 ** 40, acts: 12, family: 'volume', usual: 2e6, skipped: null },
  { kind: 'new_destination', unit: 'bytes', alertsFrom: null, upTo: 2 ** 40, acts: null, family: null, usual: null, skipped: null },
  { kind: 'off_hours', unit: 'acts', alertsFrom: null, upTo: 4096, acts: null, family: null, usual: null, skipped: 'always_active' },
]
const blindSpots = {
  of: (_: string, identity: string) => (identity === 'support-bot' ? found : null),
  measure: async (tenant: string, identity: string) => {
    const spots = SPOTS.map((spot) => ({ ...spot, text: blindSpotText(spot) }))
    found = { tenant, identity, measuredAt: now, baselineAt: now, releaseId: 'default-r4', detectorVersion: '1.2.0', spots }
    return found
  },
}

before(async () => {
  if (skip !== false) return
  mkdirSync(shots, { recursive: true })
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
  const events = [...ordinaryDays('default', 'support-bot', now), ...evidence, ...hostile]
  bench = await startBench({ alerts: ALERTS, events, demo, blindSpots })
  browser = await launch()
})

after(async () => {
  if (skip !== false) return
  await browser.close()
  await bench.stop()
})

interface Opened {
  readonly context: BrowserContext
  readonly page: Page
  /** Errors of the page and requests that left the server's own address. */
  readonly trouble: string[]
}

/** To another view of the page that is open. */
const go = (page: Page, hash: string): Promise<unknown> => page.goto(`${bench.origin}/${hash}`)

async function open(
  options: { readonly hash?: string; readonly width?: number; readonly dark?: boolean; readonly token?: string } = {},
): Promise<Opened> {
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1440, height: 900 },
    colorScheme: options.dark === true ? 'dark' : 'light',
  })
  const page = await context.newPage()
  const trouble: string[] = []
  page.on('pageerror', (error) => trouble.push(error.message))
  page.on('console', (message) => message.type() === 'error' && !message.text().includes('404') && trouble.push(message.text()))
  page.on(
    'request',
    (request) => !request.url().startsWith(bench.origin) && !request.url().startsWith('data:') && trouble.push(request.url()),
  )
  page.on('dialog', (dialog) => {
    trouble.push(`dialog ${dialog.message()}`)
    void dialog.dismiss()
  })
  await page.goto(`${bench.origin}/#token=${options.token ?? TOKEN}`)
  if (options.hash !== undefined) {
    await page.waitForSelector('.row')
    await go(page, options.hash)
  }
  return { context, page, trouble }
}

test('shows the alerts, and one in five parts with what is usual, its timeline and its events', { skip }, async () => {
  const { context, page, trouble } = await open()
  await page.waitForSelector('.row')
  assert.equal(await page.locator('.row').count(), 50)
  assert.equal(page.url(), `${bench.origin}/`, 'the token is taken out of the address')
  await page.locator('.row').first().click()
  await page.waitForSelector('.detail h2')
  assert.equal(await page.locator('.detail h2').innerText(), FIRST.text.headline)
  const text = await page.locator('.text').innerText()
  for (const part of [FIRST.text.normal, FIRST.text.why, FIRST.text.certainty, FIRST.text.firstStep]) assert.ok(text.includes(part), part)
  assert.match(await page.locator('.observed').innerText(), /Data: hr.*1 event.*never before.*none of 11 peers/s)
  await page.waitForSelector('.events tbody tr')
  assert.match(await page.locator('.events').innerText(), /hr\.read/)
  await page.waitForSelector('.timeline canvas')
  const painted = await page.evaluate<number>(`{
    const canvas = document.querySelector('.timeline canvas')
    const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data
    let inked = 0
    for (let i = 3; i < pixels.length; i += 4) if (pixels[i] !== 0) inked++
    inked
  }`)
  assert.ok(painted > 2000, 'the chart is drawn')
  await page.screenshot({ path: join(shots, 'alert.png') })
  assert.deepEqual(trouble, [])
  await context.close()
})

test('a verdict is stored, shown, and still there after a reload', { skip }, async () => {
  const chosen = ALERTS[3] as Alert
  const { context, page, trouble } = await open({ hash: `#/alerts/${chosen.id}` })
  await page.click('.detail .verdict-button-safe')
  await page.waitForSelector('.detail .verdict-button-safe[aria-pressed="true"]')
  const rows = await bench.store.rows<{ verdict: string }>('SELECT verdict FROM plumbline.feedback WHERE alert_id = {id:String}', {
    id: chosen.id,
  })
  assert.deepEqual(rows, [{ verdict: 'safe' }])
  await page.reload()
  await page.waitForSelector('.detail .verdict-button-safe[aria-pressed="true"]')
  assert.deepEqual(trouble, [])
  await context.close()
})

test('an alert shows within a second of its commit; the list holds still under the pointer', { skip }, async () => {
  const { context, page } = await open()
  await page.waitForSelector('.row')
  const live: Alert = { ...FIRST, id: 'live-1', firstSeen: Date.now() + 1000, lastSeen: Date.now() + 1000 }
  const published = performance.now()
  bench.console.publish(live, 'delivered')
  await page.waitForSelector('[data-alert="live-1"] .mark-new')
  assert.ok(performance.now() - published < 1000)
  await page.locator('.row').nth(2).hover()
  bench.console.publish({ ...live, id: 'live-2' }, 'delivered')
  await page.waitForSelector('.fresh')
  assert.equal(await page.locator('[data-alert="live-2"]').count(), 0)
  await page.click('.fresh')
  await page.waitForSelector('[data-alert="live-2"]')
  await context.close()
})

test('text of events and policies never becomes markup, code or a request (B17)', { skip }, async () => {
  const hostile = XSS_CORPUS.map((text, i) => hostileAlert(text, i, now))
  for (const alert of hostile) bench.console.publish(alert, 'held')
  await seed.incidents(
    bench.store,
    XSS_CORPUS.map((text, i) => hostileIncident(text, i, now)),
  )
  await seed.deadLetters(
    bench.store,
    XSS_CORPUS.map((text, i) => ({
      v: 1 as const,
      stage: 'decode' as const,
      code: 'FIELD_INVALID' as const,
      field: text,
      message: text,
      tenant: text,
      topic: text,
      shard: 0,
      offset: i,
      ingestTime: now,
      payload: Buffer.from(text).toString('base64'),
    })),
  )
  const { context, page, trouble } = await open()
  await page.waitForSelector('.row')
  for (const [i, text] of XSS_CORPUS.entries()) {
    await go(page, `#/alerts/hostile-${i}`)
    await page.waitForSelector('.detail .events tbody tr')
    assert.equal(await page.locator('.detail h2').textContent(), text)
    await go(page, `#/identity/hostile/${encodeURIComponent(text)}`)
    await page.waitForSelector('.shares li')
  }
  for (const hash of [
    '#/identities',
    '#/incidents',
    '#/dead-letters',
    `#/alerts/${encodeURIComponent(XSS_CORPUS[0] ?? '')}`,
    '#/alerts/%E0%A4%A',
  ]) {
    await go(page, hash)
    await page.waitForSelector('.events tbody tr, .problem, .letters li')
  }
  const planted = ['script', 'img', 'iframe', 'style', 'base', '[onerror]', '[onload]', 'a[href^="javascript"]'].map((css) => `#app ${css}`)
  const found = { pwned: await page.evaluate('globalThis.pwned ?? null'), elements: await page.locator(planted.join(', ')).count() }
  assert.deepEqual(found, { pwned: null, elements: 0 })
  await page.screenshot({ path: join(shots, 'hostile.png') })
  assert.deepEqual(
    trouble.filter((text) => !text.includes('400')),
    [],
  )
  await context.close()
})

test('an identity’s page says what would be noticed of it, and measures when it is asked to', { skip }, async () => {
  const { context, page, trouble } = await open()
  await go(page, '#/identity/default/support-bot')
  await page.waitForSelector('text=Not tried yet')
  await page.click('text=Measure now')
  await page.waitForSelector('.spots li')
  const lines = page.locator('.spots li')
  assert.deepEqual(await lines.allInnerTexts(), [
    'Sent to a place that it uses: would alert at ≥ 41 MB an hour (usually 2 MB); below that, blind.',
    'Sent to a place that nobody uses: blind. Not even 1.1 TB an hour would alert.',
    'Acts at an hour at which it is not active: not tried, no hour is unusual for it.',
  ])
  assert.equal(await lines.nth(1).getAttribute('class'), 'spot-blind')
  assert.equal(await page.locator('text=under release default-r4').count(), 1)
  await page.screenshot({ path: join(shots, 'blind-spots.png'), fullPage: true })
  assert.deepEqual(trouble, [])
  await context.close()
})

test('asks for a token when it has none or a wrong one', { skip }, async () => {
  const { context, page } = await open({ token: 'wrong' })
  await page.waitForSelector('.gate-refused')
  assert.equal(await page.locator('.row').count(), 0)
  await page.fill('input[type="password"]', TOKEN)
  await page.click('button:has-text("Open")')
  await page.waitForSelector('.row')
  await context.close()
})

test('the printed link, pasted into the open tab, brings its token and leaves none in the address', { skip }, async () => {
  const { context, page } = await open({ token: 'wrong' })
  await page.waitForSelector('.gate-refused')
  await page.evaluate(`location.hash = '#token=${TOKEN}'`)
  await page.waitForSelector('.row')
  assert.equal(page.url(), `${bench.origin}/`)
  await page.evaluate(`location.hash = '#token=${TOKEN}'`)
  await page.waitForFunction(`location.hash === ''`)
  await context.close()
})

test('the head is about the chosen tenant; history is offered where there is nothing else', { skip }, async () => {
  const before = bench.status
  const { context, page } = await open()
  await page.waitForSelector('.row')
  const count = { alerts: 0, held: 0, deadLetters: 0, identities: 0 }
  bench.status = {
    ...before,
    deadLetters: 39,
    model: [
      ...before.model,
      { tenant: 'learned', releaseId: 'r2', trained: true, alertsFrom: 66, held: 'r3' },
      { tenant: 'young', releaseId: 'r0', trained: false, alertsFrom: 66, held: null },
    ],
    counts: [...before.counts, { ...count, tenant: 'learned', historic: 2, identities: 7 }, { ...count, tenant: 'young', historic: 0 }],
  }
  await page.waitForSelector('text=No model trained yet for young')
  const figure = (label: string) => page.locator('.figure', { hasText: label }).locator('dd').innerText()
  assert.equal(await figure('Refused'), '39')
  await page.selectOption('.tenant select', 'learned')
  await page.waitForSelector('text=2 alerts from history.')
  assert.deepEqual([await figure('Refused'), await figure('Identities')], ['0', '7'])
  const behind = 'The newest model of learned was held back, the one before goes on'
  assert.equal(await page.locator('.phase-model').innerText(), behind)
  await page.click('text=Show them')
  assert.ok(await page.getByLabel('History').isChecked())
  await page.getByLabel('History').uncheck()
  await page.selectOption('.tenant select', 'young')
  await page.waitForSelector('text=All quiet')
  assert.equal(await page.locator('text=Try an attack above').count(), 0)
  bench.status = before
  await context.close()
})

test('the first steps: an attack alerts, its twin stays quiet with the reason, a verdict leads to a repeat', { skip }, async () => {
  const { context, page, trouble } = await open()
  await page.click('text=Play it')
  await page.waitForSelector('.outcome-alert')
  assert.match(await page.locator('.outcome-alert').innerText(), /Alert after 0\.\d s\. support-bot/)
  await page.click('.outcome-alert a')
  await page.click('.panel .verdict-button-safe')
  await page.waitForSelector('text=Now repeat the act: it should stay quiet.')
  await page.click('text=Repeat the act')
  await page.waitForSelector('.panel[aria-labelledby="judge-title"] .outcome-alert')
  await page.click('text=Harmless twin')
  await page.click('text=Play it')
  await page.waitForSelector('.outcome-quiet', { timeout: 10_000 })
  assert.match(await page.locator('.outcome-quiet').innerText(), /Stayed quiet: 1 event\. Its one event scored 12 of 100/)
  await page.screenshot({ path: join(shots, 'first-steps.png') })
  assert.deepEqual(trouble, [])
  await context.close()
})

test('the first event of an agent is acknowledged live, with the identity it was resolved to', { skip }, async () => {
  const { context, page } = await open()
  await page.waitForSelector('text=Waiting for the first event')
  assert.equal((await page.locator('.snippet').innerText()).includes(TOKEN), false)
  await page.click('text=Show token')
  assert.equal((await page.locator('.snippet').innerText()).includes(`Bearer%20${TOKEN}`), true)
  const notice = {
    receivedAt: Date.now(),
    tenant: 'default',
    identity: 'my-agent',
    kind: 'agent',
    attested: null,
    action: 'search',
    via: 'events',
  } as const
  bench.notice(notice)
  await page.waitForSelector('text=Received')
  assert.match(await page.locator('.outcome-quiet').innerText(), /search by my-agent \(agent, claimed by the sender, tenant default\)/)
  await page.reload()
  await page.waitForSelector('text=Received')
  await context.close()
})

test('works with the keyboard alone', { skip }, async () => {
  const { context, page } = await open()
  await page.waitForSelector('.row')
  await page.keyboard.press('Tab')
  assert.equal(await page.evaluate('document.activeElement.className'), 'skip')
  await page.keyboard.press('Enter')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('ArrowDown')
  const id = await page.evaluate<string>('document.activeElement.dataset.alert ?? ""')
  assert.notEqual(id, '')
  await page.keyboard.press('Enter')
  await page.waitForSelector('.detail h2')
  assert.ok(page.url().endsWith(encodeURIComponent(id)))
  const unnamed = await page.evaluate<number>(
    `[...document.querySelectorAll('button, a[href], input, select')].filter((element) => element.innerText.trim() === '' && !element.ariaLabel && !element.labels?.length).length`,
  )
  assert.equal(unnamed, 0, 'every control has a name')
  await context.close()
})

test('fits 400 pixels, in light and dark, without things jumping', { skip }, async () => {
  for (const [width, dark] of [
    [400, false],
    [400, true],
    [1440, true],
  ] as const) {
    const { context, page } = await open({ width, dark })
    await page.waitForSelector('.row')
    for (const [name, hash, ready] of [
      ['home', '#/', '.row'],
      ['alert', `#/alerts/${FIRST.id}`, '.timeline canvas'],
      ['identity', '#/identity/default/support-bot', '.shares li'],
      ['identities', '#/identities', '.events tbody tr'],
    ] as const) {
      await go(page, hash)
      await page.waitForSelector(ready)
      const wider = await page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth')
      assert.ok(wider <= 0, `${name} is ${wider} px wider than ${width}`)
      await page.screenshot({ path: join(shots, `${width}${dark ? '-dark' : ''}-${name}.png`) })
    }
    await context.close()
  }
  const { context, page } = await open()
  await page.waitForSelector('.row')
  const shift = await page.evaluate<number>(`new Promise((resolve) => {
    let sum = 0
    new PerformanceObserver((list) => { for (const entry of list.getEntries()) sum += entry.value }).observe({ type: 'layout-shift', buffered: true })
    setTimeout(() => resolve(sum), 500)
  })`)
  assert.ok(shift < 0.1, `layout shift ${shift}`)
  await context.close()
})

test('shows the phase, survives a broken connection without losing an alert, and removes the demo in one click', { skip }, async () => {
  const { context, page } = await open()
  await page.waitForSelector('.row')
  bench.status = { ...bench.status, phase: 'Replaying the demo day', progress: 0.42 }
  await page.waitForSelector('text=Replaying the demo day')
  assert.match(await page.locator('.phase').innerText(), /42 %/)
  bench.dropConnections()
  bench.console.publish({ ...FIRST, id: 'while-away', firstSeen: Date.now() + 5000 }, 'delivered')
  await page.waitForSelector('[data-alert="while-away"]')
  const demo = ALERTS.find((alert) => alert.facts.tenant === 'demo') as Alert
  assert.equal(await page.locator(`[data-alert="${demo.id}"]`).count(), 1)
  await page.click(`[data-alert="${demo.id}"]`)
  await page.waitForSelector('.detail h2')
  await page.click('text=Remove demo for good')
  await page.waitForSelector(`[data-alert="${demo.id}"]`, { state: 'detached' })
  assert.equal(removals, 1)
  await page.waitForSelector('text=Choose an alert')
  assert.deepEqual([page.url(), await page.locator('.problem').count()], [`${bench.origin}/#/`, 0])
  await context.close()
})

test('what was held back today opens from its number, worst first; an alert that is not delivered is said', { skip }, async () => {
  const { context, page, trouble } = await open()
  await page.waitForSelector('.row')
  const firstSeen = Date.now()
  for (const [id, score] of [
    ['held-60', 60],
    ['held-95', 95],
    ['held-80', 80],
  ] as const)
    bench.console.publish({ ...FIRST, id, score, firstSeen }, 'held')
  bench.console.publish({ ...FIRST, id: 'held-before', score: 99, firstSeen: firstSeen - 86_400_000, lastSeen: firstSeen }, 'held')
  bench.status = {
    ...bench.status,
    held: 3,
    sinks: [{ name: 'webhook', delivered: 4, refused: 2, failures: 0, waiting: false, problem: 'The webhook answered 422.' }],
  }
  await page.waitForSelector('[data-alert="held-before"]')
  const figure = (label: string) => page.locator('.figure', { hasText: label }).locator('dd')
  await page.waitForSelector('text=Alerts to webhook')
  assert.deepEqual([await figure('Held back today').innerText(), await figure('Alerts to webhook').innerText()], ['3', '2 refused'])
  await page.click('text=Held back today')
  await page.waitForSelector(`[data-alert="${FIRST.id}"]`, { state: 'detached' })
  const rows = (): Promise<string[]> =>
    page.locator('.row').evaluateAll((found) => found.map((row) => row.getAttribute('data-alert') ?? ''))
  // Those of an earlier test were held back as well.
  assert.deepEqual(
    (await rows()).filter((id) => !id.startsWith('hostile-')),
    ['held-95', 'held-80', 'held-60'],
  )
  await page.getByLabel('Held back').uncheck()
  await page.waitForSelector(`[data-alert="${FIRST.id}"]`)
  assert.deepEqual(trouble, [])
  await context.close()
})
