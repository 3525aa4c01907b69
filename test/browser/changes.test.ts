import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Change } from '@plumbline/schemas'
import type { KnownChange } from '../../services/standalone/src/changes.ts'
import { seed } from '../../packages/adapters/src/clickhouse/read/seed.testkit.ts'
import { XSS_CORPUS } from './alerts.ts'
import type { Bench } from './bench.ts'
import { now, type Rig, shots, skip, startRig } from './page.testkit.ts'

const HOUR = 3_600_000

const known = (minutesAgo: number, change: Partial<Change> & { readonly id: string }, more: Partial<KnownChange> = {}): KnownChange => ({
  change: {
    what: { model: 'gpt-5.2' },
    scope: { identities: ['support-*'] },
    from: now - HOUR,
    until: now + HOUR,
    reason: 'New model for support',
    by: 'jane',
    ...change,
  },
  announcedAt: now - minutesAgo * 60_000,
  actor: 'deploy key ci',
  ...more,
})

const CHANGES: Readonly<Record<string, readonly KnownChange[]>> = {
  default: [
    known(300, { id: 'run-1', from: now - 5 * HOUR, until: now - HOUR, scope: { peerGroups: ['sales'] } }),
    known(200, { id: 'run-2', scope: { all: true }, what: { tools: '*', code: 'c0ffee' } }, { withdrawn: true }),
    known(100, { id: 'run-3', ticket: 'CHG-7', scope: { identities: ['support-*', 'triage'], peerGroups: ['front office'] } }),
    known(50, { id: 'run-4', from: now + HOUR, until: now + 2 * HOUR }, { actor: 'operator' }),
  ],
  other: [known(10, { id: 'run-1' })],
  hostile: XSS_CORPUS.map((text, i) =>
    known(
      i,
      {
        id: `hostile-${i}`,
        what: { release: text, model: text },
        scope: { identities: [text, '*'], peerGroups: [text] },
        reason: text,
        ticket: text,
        by: text,
      },
      { actor: text },
    ),
  ),
}

let rig: Rig
let bench: Bench
let open: Rig['open']
let go: Rig['go']

before(async () => {
  if (skip !== false) return
  rig = await startRig({ changes: CHANGES })
  ;({ bench, open, go } = rig)
})

after(async () => {
  if (skip === false) await rig.stop()
})

/** Ids of the changes on the page, in its order. */
const shown = (page: Awaited<ReturnType<Rig['open']>>['page']): Promise<string[]> =>
  page.locator('.changes li').evaluateAll((found) => found.map((line) => line.getAttribute('data-change') ?? ''))

test('an identity’s page says what was announced of it: what, for whom, when, by whom, and whether it is in effect', { skip }, async () => {
  const { context, page, trouble } = await open()
  await go(page, '#/identity/default/support-bot')
  await page.waitForSelector('.changes li')
  assert.deepEqual(await shown(page), ['run-4', 'run-3', 'run-2'])
  const text = async (id: string): Promise<string> => (await page.locator(`[data-change="${id}"]`).innerText()).replaceAll(/\s+/g, ' ')
  assert.match(await text('run-4'), /^begins later model gpt-5\.2 New model for support For support-\* from .* until /)
  assert.match(await text('run-4'), /Announced .* by jane, operator, as run-4$/)
  assert.match(
    await text('run-3'),
    /^in effect now model gpt-5\.2 New model for support · CHG-7 For support-\*, triage, peers front office from .* as run-3$/,
  )
  assert.match(
    await text('run-2'),
    /^withdrawn tools \*, code c0ffee .* For every agent and service from .* by jane, deploy key ci, as run-2$/,
  )
  const at = new Date(now - HOUR).toISOString()
  assert.equal(await page.locator('[data-change="run-3"] time').first().getAttribute('datetime'), at)
  await page.screenshot({ path: join(shots, 'changes-of-one.png'), fullPage: true })
  assert.deepEqual(trouble, [])
  await context.close()
})

test('no announcement is about a person, and an agent without one is said to have none', { skip }, async () => {
  await seed.events(bench.store, [
    { tenant: 'default', identity: 'jane@example.com', kind: 'user', time: now, shard: 3, offset: 1 },
    { tenant: 'quiet', identity: 'loner', time: now, shard: 3, offset: 2 },
  ])
  const { context, page } = await open()
  await go(page, '#/identity/quiet/loner')
  await page.waitForSelector('text=None. What its next deploy brings is judged as anything else.')
  await go(page, `#/identity/default/${encodeURIComponent('jane@example.com')}`)
  await page.waitForSelector('.meta:has-text("person")')
  assert.equal(await page.locator('h3:has-text("Announced changes")').count(), 0)
  await context.close()
})

test('all that was announced is one click away, of every tenant or of the chosen one', { skip }, async () => {
  const { context, page, trouble } = await open()
  await page.click('.side a:has-text("Changes")')
  await page.waitForSelector('.changes li')
  const all = (await shown(page)).filter((id) => !id.startsWith('hostile-'))
  assert.deepEqual(all, ['run-1', 'run-4', 'run-3', 'run-2', 'run-1'])
  assert.match(await page.locator('.changes li', { hasText: 'tenant other' }).innerText(), /run-1/)
  await page.selectOption('.tenant select', 'default')
  await page.locator('.changes li', { hasText: 'tenant other' }).waitFor({ state: 'detached' })
  await page.waitForSelector('.changes li')
  assert.deepEqual(await shown(page), ['run-4', 'run-3', 'run-2', 'run-1'])
  assert.equal(await page.locator('.changes li.change-over .mark').innerText(), 'over')
  assert.equal(await page.locator('.changes', { hasText: 'tenant' }).count(), 0, 'the chosen tenant is not said again')
  await page.selectOption('.tenant select', 'demo')
  await page.waitForSelector('text=Deploy jobs announce with one signed request')
  assert.deepEqual(trouble, [])
  await context.close()
})

test('text of announcements never becomes markup, code or a request (B17)', { skip }, async () => {
  const { context, page, trouble } = await open({ width: 400 })
  await page.waitForSelector('.row')
  for (const hash of ['#/changes', `#/identity/hostile/${encodeURIComponent(XSS_CORPUS[0] ?? '')}`]) {
    await go(page, hash)
    await page.waitForSelector(`[data-change="hostile-${XSS_CORPUS.length - 1}"]`)
    for (const [i, text] of XSS_CORPUS.entries()) {
      const names = await page.locator(`[data-change="hostile-${i}"] bdi`).allTextContents()
      assert.equal(names.filter((name) => name === text).length, 8, `every text of ${i} stands as it was written`)
    }
    const wider = await page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth')
    assert.ok(wider <= 0, `${hash} is ${wider} px wider than the screen`)
  }
  const planted = ['script', 'img', 'iframe', 'style', 'base', '[onerror]', '[onload]', 'a[href^="javascript"]'].map((css) => `#app ${css}`)
  const found = { pwned: await page.evaluate('globalThis.pwned ?? null'), elements: await page.locator(planted.join(', ')).count() }
  assert.deepEqual(found, { pwned: null, elements: 0 })
  assert.deepEqual(trouble, [])
  await page.screenshot({ path: join(shots, 'changes-hostile.png') })
  await context.close()
})
