import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { DAY, generate, HOUR } from '@plumbline/generator'
import { createLogger } from '@plumbline/runtime'
import { DEFAULT_DETECTION_CONFIG } from '@plumbline/schemas'
import { loadStandaloneConfig, type Standalone, startStandalone } from '@plumbline/standalone'
import { alertFor } from '../../../../packages/adapters/src/siem/testing.ts'
import { runningAt } from '../instance/access.ts'
import { settle } from '../instance/feed.ts'
import { createProgress } from '../progress.ts'
import { operatorTarget } from '../replay/operator.ts'
import { replay } from '../replay/replay.ts'
import { askStore, openStore, type StoreAccess } from '../store.ts'
import { decideAll, type Signal, signalOf } from './decide.ts'
import { backtestReplayed } from './replayed.ts'
import { replayedConfig, settings, storedSettings } from './settings.ts'
import { sinceTimeOf } from './since.ts'
import { backtestStored } from './stored.ts'
import { backtestWords } from './words.ts'

const usage = { code: 'USAGE' }
const silent = createProgress({ json: false, out: process.stdout, err: process.stderr, progress: false }, '', '')

test('settings: what stored scores can answer for, what needs a replay, what there is not', () => {
  assert.deepEqual(settings('threshold=6', { alertBudgetPerDay: 3 }), { alertBudgetPerDay: 3, threshold: 6 })
  for (const bad of ['threshold', 'threshold=', 'threshold=x', '=5', 'a b=5']) assert.throws(() => settings(bad), usage, bad)
  assert.deepEqual(storedSettings({ threshold: 6 }), { threshold: 6, alertBudgetPerDay: DEFAULT_DETECTION_CONFIG.alertBudgetPerDay })
  assert.throws(() => storedSettings({ adoptAfterDays: 3 }), { ...usage, message: /replay/ })
  assert.throws(() => storedSettings({ tresholt: 3 }), { ...usage, message: /is no setting/ })
  assert.throws(() => storedSettings({ threshold: 0 }), usage)
  assert.equal(replayedConfig({ adoptAfterDays: 3 }).adoptAfterDays, 3)
  assert.throws(() => replayedConfig({ threshold: 3 }), { ...usage, message: /tailFloor/ })
  assert.throws(() => replayedConfig({ nothing: 3 }), usage)
  assert.throws(() => replayedConfig({ tailFloor: 3 }), { ...usage, message: /tailFloor/ })
})

test('since: spans and times with their zone', () => {
  assert.equal(sinceTimeOf('36h', 10 * DAY), 10 * DAY - 36 * HOUR)
  assert.equal(sinceTimeOf('2026-11-01', 0), Date.UTC(2026, 10, 1))
  assert.equal(sinceTimeOf('2026-11-01T02:00+02:00', 0), Date.UTC(2026, 10, 1))
  for (const bad of ['', '5', '5y', 'yesterday', '2026-11-01T00:00', '2026-13-01']) assert.throws(() => sinceTimeOf(bad, 0), usage, bad)
})

test('a higher threshold keeps rules, and a group begins with its first event that speaks', () => {
  const at = (n: number, tail: number, more: Partial<Signal> = {}): Signal => {
    const alert = alertFor(n, { severity: 'high' })
    return { ...signalOf(alert, ''), critical: false, tail, ...more }
  }
  const revised = [at(1, 5.5), at(1, 7, { revision: 2, activity: 'update' }), at(1, 5.1, { revision: 3, activity: 'close' })]
  const signals = [
    ...revised,
    at(2, 5.5),
    at(3, 1, { critical: true, family: 'toxic_flow' }),
    at(4, 5.5, { activity: 'close', revision: 2 }),
  ]
  const told = (threshold: number | null, alertBudgetPerDay = 20): string[] =>
    [...decideAll(signals, { threshold, alertBudgetPerDay }).groups.keys()].map((id) => id.slice(-1))
  assert.deepEqual(told(null), ['1', '2', '3'])
  assert.deepEqual(told(6), ['1', '3'])
  assert.deepEqual(told(8), ['3'])
  assert.deepEqual(told(null, 0), ['3'], 'the first critical of its kind passes any ceiling')
  assert.equal(decideAll(signals, { threshold: null, alertBudgetPerDay: 1 }).held, 1)
})

describe('of a deployment', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'plumbline-backtest-'))
  const path = join(dataDir, 'life.jsonl')
  // A Thursday: what alerts by its score alone must not depend on the hour or the day of the test.
  const end = Math.floor(Date.now() / (7 * DAY)) * 7 * DAY
  const company = {
    seed: 9,
    startTime: end - 9 * DAY,
    days: 9,
    identities: 24,
    eventsPerIdentityDay: 40,
    attacks: { labelledDays: 2 },
  } as const
  const since = end - 9 * DAY
  let service: Standalone
  let store: StoreAccess

  before(async () => {
    writeFileSync(path, [...generate(company)].map(({ event }) => `${JSON.stringify(event)}\n`).join(''))
    // And not on which names collide in the tables.
    mkdirSync(join(dataDir, 'log'), { recursive: true })
    writeFileSync(join(dataDir, 'log', 'master.key'), Buffer.alloc(32, 7), { mode: 0o600 })
    const { config } = loadStandaloneConfig({ env: {} })
    const own = {
      httpPort: 0,
      dataDir,
      demo: false,
      alertsStdout: false,
      trainAfterEvents: 3_000,
      alertBudgetPerDay: 1_000,
      tailFloor: 1e-2,
    }
    service = await startStandalone({ ...config, ...own }, { logger: createLogger({ name: 'test', level: 'silent' }) })
    const access = await runningAt(service.url, { dataDir })
    const target = operatorTarget(access!.operator, 'default', silent)
    await replay({ files: [path], format: undefined, tenant: 'default', pace: 0, target, progress: silent, signal: undefined })
    await settle(access!.operator, ['default'], false, () => {})
    store = await openStore({ dataDir }, 'reader')
  })
  after(async () => {
    await service.stop()
    rmSync(dataDir, { recursive: true, force: true })
  })

  test('with the settings that were in force the same was told; a ceiling of none leaves the first critical of a kind', async () => {
    const same = await backtestStored(store, since, storedSettings({ alertBudgetPerDay: 1_000 }))
    assert.ok(same.before.told >= 3, `only ${same.before.told} alerts`)
    assert.ok(same.events > 5_000)
    assert.deepEqual([same.gone, same.more, same.after], [[], [], same.before])
    const none = await backtestStored(store, since, storedSettings({ alertBudgetPerDay: 0 }))
    assert.ok(none.after.told < same.before.told && none.after.held > 0)
    assert.equal(none.gone.length, same.before.told - none.after.told)
    assert.match(backtestWords(none, ['As it was', 'With none']), /Not told any more/)
  })

  test('a verdict is told as what a stricter setting would have cost; a laxer one finds what did not alert', async () => {
    const strict = await backtestStored(store, since, storedSettings({ threshold: 300 }))
    assert.ok(strict.gone.length > 0)
    assert.equal(strict.goneConfirmed, 0)
    const lax = await backtestStored(store, since, storedSettings({ threshold: 2, alertBudgetPerDay: 100_000 }))
    const rows = await (
      await askStore(store, 'SELECT count() AS n FROM scored_events WHERE tail_log10 >= 2 AND bitAnd(flags, 32) = 0', 'TSV')
    ).text()
    assert.ok(Number(rows) >= lax.more.length && lax.more.length > 0, `${lax.more.length} more of ${rows} events`)
    assert.deepEqual(lax.gone, [])
    const { id } = strict.gone[0]!
    const answer = await fetch(`${service.url}/v1/alerts/${id}/verdict`, {
      method: 'POST',
      headers: { authorization: `Bearer ${service.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ verdict: 'confirmed', author: 'an analyst' }),
    })
    assert.ok(answer.ok, await answer.text())
    for (const until = performance.now() + 20_000; performance.now() < until; ) {
      const again = await backtestStored(store, since, storedSettings({ threshold: 300 }))
      if (again.goneConfirmed === 1) return assert.match(backtestWords(again, ['', '']), /1 alert that an analyst CONFIRMED/)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    assert.fail('the verdict is not seen')
  })

  test('by replay: learning included, the same settings give the same, others what they give', async () => {
    const options = { files: [path], format: undefined, tenant: 'default', sinceTime: since, progress: silent }
    const shipped = { config: { ...DEFAULT_DETECTION_CONFIG, trainAfterEvents: 6_000 }, policy: undefined }
    const late = await backtestReplayed({ ...options, sinceTime: end - DAY }, shipped, shipped)
    assert.deepEqual([late.gone, late.more], [[], []])
    const fewer = await backtestReplayed(options, shipped, { ...shipped, config: { ...shipped.config, alertBudgetPerDay: 1 } })
    assert.ok(fewer.before.told >= 3 && fewer.before.told > late.before.told)
    assert.ok(fewer.after.told < fewer.before.told && fewer.after.held > 0)
    assert.deepEqual(fewer.more, [])
  })
})
