import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { DAY, generate, HOUR } from '@plumbline/generator'
import type { AlertPage, HistoryAnswer, StatusView } from '@plumbline/schemas'
import { startInstance, until } from './instance.testkit.ts'

const MAIN = fileURLToPath(new URL('../../services/cli/src/main.ts', import.meta.url))
const end = Math.floor(Date.now() / HOUR) * HOUR
const company = { seed: 5, startTime: end - 30 * DAY, days: 30, identities: 20, eventsPerIdentityDay: 20, twins: false } as const
const all = [...generate({ ...company, attacks: [{ kind: 'hr_access', spread: 'piece', at: end - 4 * DAY, size: 100 }] })].map(
  ({ event }) => event,
)
const history = all.filter((event) => (event.time as number) < end - DAY)
const live = all.filter((event) => (event.time as number) >= end - DAY)
const lines = (events: readonly unknown[]): string => events.map((event) => `${JSON.stringify(event)}\n`).join('')

interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** A command line as a user runs it. */
const plumbline = (dataDir: string, args: readonly string[]): Promise<Ran> =>
  new Promise((resolve) => {
    const own = Object.fromEntries(Object.entries(process.env).filter(([n]) => !n.startsWith('PLUMBLINE_') && n !== 'CLICKHOUSE_URL'))
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...own,
        PLUMBLINE_DATA_DIR: dataDir,
        PLUMBLINE_POLICY_FILE: join(dataDir, 'policy.yaml'),
        PLUMBLINE_TRAIN_AFTER_EVENTS: '3000',
      },
    })
    let [out, err] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
    child.once('close', (code) => resolve({ code, out, err }))
  })

test('thirty days of history, killed on the way and resumed, then live: learned once, its alerts apart, no storm', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'plumbline-backfill-'))
  t.after(() => rmSync(dataDir, { recursive: true, force: true }))
  // Two files that interleave, neither in order.
  const files = [0, 1].map((part) => join(dataDir, `part-${part}.jsonl`))
  files.forEach((file, part) => writeFileSync(file, lines(history.filter((_, i) => i % 2 === part).toReversed())))
  const env = { PLUMBLINE_TRAIN_AFTER_EVENTS: '3000', PLUMBLINE_DEMO: 'false' }
  const first = await startInstance(dataDir, env)
  await until('the first service', 30_000, async () => (await first.status()).ready)
  const begun = plumbline(dataDir, ['backfill', ...files])
  await until('some of the history', 60_000, async () => (await first.status()).events >= 1500)
  await first.signal('SIGKILL')
  const killed = await begun
  assert.equal(killed.code, 3, killed.err)
  assert.match(killed.err, /INSTANCE_UNAVAILABLE/)

  const { code, out, err } = await plumbline(dataDir, ['backfill', ...files, '--json'])
  assert.equal(code, 0, err)
  const result = JSON.parse(out) as { events: number; before: number; rejected: number; tenants: Record<string, HistoryAnswer> }
  assert.deepEqual([result.events + result.before, result.rejected], [history.length, 0])
  assert.ok(result.before > 0, 'something was kept of the killed run')
  t.diagnostic(`${result.before} events by the killed run, ${result.events} after it`)
  const learned = result.tenants['default']
  assert.ok(learned !== undefined)
  const counted = learned.identities.reduce((sum, { events }) => sum + events, 0)
  assert.ok(Math.abs(counted - history.length) < history.length / 100, `${counted} of ${history.length}: the store counts by sketch`)
  assert.ok(learned.identities.every(({ maturity }) => maturity > 0))
  assert.ok(learned.models > 0, 'a model was trained from it')
  t.diagnostic(`would have alerted ${learned.alerts} times; the worst: ${learned.top[0]?.headline ?? ''}`)
  assert.ok(
    learned.top.some(({ headline }) => headline.startsWith('support-bot')),
    JSON.stringify(learned.top),
  )

  const again = await plumbline(dataDir, ['backfill', ...files])
  assert.equal(again.code, 0, again.err)
  assert.match(again.out, /of them by earlier runs/)
  assert.match(again.out, /It would have alerted \d+ times?, the (?:top|one)/)

  const explained = await plumbline(dataDir, ['explain', learned.top[0]?.id ?? '', '--json'])
  assert.equal(explained.code, 0, explained.err)
  assert.equal((JSON.parse(explained.out) as { replay: { identical: boolean } }).replay.identical, true)

  const service = await startInstance(dataDir, env)
  try {
    await until('the service', 30_000, async () => (await service.status()).ready)
    const { status } = await service.post('/v1/events', lines(live), 'application/x-ndjson')
    assert.equal(status, 202)
    await until('the live events', 20_000, async () => (await service.get<StatusView>('/v1/status')).events >= all.length)
    assert.equal((await service.status()).events, all.length, 'each event once')
    const whole = (query: string) =>
      until('the store', 30_000, async () => {
        const page = await service.get<AlertPage>(`/v1/alerts?limit=200&${query}`)
        return page.partial ? undefined : page.alerts
      })
    const alerts = await whole('')
    t.diagnostic(`${live.length} live events of the day after it, ${alerts.length} alerts`)
    assert.ok(alerts.length <= 3, alerts.map(({ text }) => text.headline).join('\n'))
    assert.ok((await whole('historic=true')).length > 0)
    const file = join(dataDir, 'alerts.ndjson')
    const sent = existsSync(file) ? readFileSync(file, 'utf8') : ''
    assert.equal(sent.split('\n').filter((line) => line.includes('support-bot')).length, 0, 'nothing historic was forwarded')
  } finally {
    await service.signal('SIGTERM')
  }
})
