import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Alert, PlumblineError } from '@plumbline/schemas'
import fc from 'fast-check'
import { AlertBudget } from './budget.ts'
import { type AlertSource, type CursorStore, createForwarder, type SinkReport } from './forwarder.ts'
import { outboxPorts } from './outbox.ts'
import type { AlertSink } from './sink.ts'
import { alertFor } from './testing.ts'

const sourceOf = (alerts: readonly Alert[]): AlertSource => ({
  read: (cursor, max) => alerts.slice(cursor, cursor + max).map((alert, i) => ({ cursor: cursor + i + 1, alert })),
})

const memoryStore = (): CursorStore & { readonly saved: Map<string, Uint8Array> } => {
  const saved = new Map<string, Uint8Array>()
  return { saved, load: (name) => saved.get(name), save: async (name, bytes) => void saved.set(name, bytes) }
}

const collecting = (name = 'collect', before: (alerts: readonly Alert[]) => void = () => {}) => {
  const got: Alert[] = []
  const sink: AlertSink = {
    name,
    deliver: async (alerts) => {
      before(alerts)
      got.push(...alerts)
    },
    close: async () => {},
  }
  return { sink, got }
}

const doing = (action: string, alert: Alert): Alert => ({ ...alert, facts: { ...alert.facts, action } })
const by = (id: string, alert: Alert): Alert => ({ ...alert, facts: { ...alert.facts, identity: { ...alert.facts.identity, id } } })
/** Each of another agent and another act. */
const apart = (n: number, alert: Alert): Alert => by(`agent-${n}`, doing(`act-${n}`, alert))
/** News of three kinds by turns. */
const ofFamily = (n: number, alert: Alert): Alert => ({ ...apart(n, alert), family: (['volume', 'rate', 'source'] as const)[n % 3]! })

test('the budget is a ceiling per tenant and day; what is held is ranked and counted', async () => {
  const alerts = Array.from({ length: 30 }, (_, n) =>
    ofFamily(n >> 1, alertFor(n, { tenant: n % 2 === 0 ? 'a' : 'b', score: 50 + n, severity: 'high' })),
  )
  const { sink, got } = collecting()
  const forwarder = await createForwarder({ source: sourceOf(alerts), sinks: [sink], store: memoryStore(), budgetPerDay: 4 })
  await forwarder.drain()
  const status = forwarder.status()
  assert.equal(got.length, 8)
  assert.deepEqual([status.delivered, status.held, status.historic], [8, 22, 0])
  assert.deepEqual(
    status.days.map((d) => [d.tenant, d.day, d.delivered, d.held]),
    [
      ['a', '2026-11-22', 4, 11],
      ['b', '2026-11-22', 4, 11],
    ],
  )
  assert.deepEqual(
    status.days[0]?.worst.slice(0, 2).map((h) => h.score),
    [78, 76],
  )
  await forwarder.close()
})

test('low and medium leave a quarter of the day to high ones that come later', () => {
  const budget = new AlertBudget(() => 8)
  const common = Array.from({ length: 10 }, (_, n) => budget.decide(ofFamily(n, alertFor(n, { severity: 'medium' }))))
  assert.equal(common.filter((d) => d === 'delivered').length, 6)
  assert.equal(budget.decide(alertFor(20, { severity: 'high' })), 'delivered')
})

test('one kind of news takes at most half of a day, however many do the same thing', () => {
  const budget = new AlertBudget(() => 20)
  const flood = Array.from({ length: 100 }, (_, n) => budget.decide(apart(n, alertFor(n, { severity: 'high', critical: true }))))
  assert.equal(flood.filter((d) => d === 'delivered').length, 10)
  const other = budget.decide({ ...apart(200, alertFor(200, { severity: 'high' })), family: 'travel' })
  assert.equal(other, 'delivered')
  const { families: _, actions: __, told: ___, ...stored } = Object.values(budget.state().days)[0]!
  assert.equal(new AlertBudget(() => 8, { days: { 'a\n0': stored } }).decide(alertFor(201, { severity: 'high' })), 'delivered')
})

test('one action takes at most a quarter of a day, whatever is said of it: the rest of the fleet does the same', () => {
  const budget = new AlertBudget(() => 40)
  const kinds = ['new_destination', 'volume', 'toxic_flow', 'new_behaviour'] as const
  const flood = Array.from({ length: 100 }, (_, n) =>
    budget.decide({ ...doing('pdf.convert', apart(n, alertFor(n, { severity: 'high' }))), family: kinds[n % 4]! }),
  )
  assert.equal(flood.filter((d) => d === 'delivered').length, 10)
  assert.equal(budget.decide(apart(200, alertFor(200, { severity: 'high' }))), 'delivered')
  const first = { ...doing('pdf.convert', alertFor(202, { severity: 'critical', critical: true })), family: 'policy' as const }
  assert.equal(budget.decide(first), 'delivered', 'the first critical of a kind passes all the same')
})

test('who was told of takes no more than half of a day, unless it does worse', () => {
  const budget = new AlertBudget(() => 20)
  const of = (n: number, who: string, severity: 'low' | 'medium' | 'high') => budget.decide(by(who, ofFamily(n, alertFor(n, { severity }))))
  const one = Array.from({ length: 30 }, (_, n) => of(n, 'noisy', 'medium'))
  assert.equal(one.filter((d) => d === 'delivered').length, 10)
  assert.equal(of(42, 'noisy', 'high'), 'delivered', 'worse than before')
  assert.equal(of(45, 'noisy', 'high'), 'held', 'the same once more')
  assert.equal(of(43, 'noisy', 'high'), 'delivered', 'high of another kind')
  assert.equal(of(46, 'another', 'medium'), 'delivered')
  assert.ok(!JSON.stringify(Object.values(budget.state().days)[0]?.told).includes('noisy'), 'names are not kept for it')
})

test('noise that somebody makes before holds back nothing graver, and what grows worse is decided anew', () => {
  const budget = new AlertBudget(() => 20)
  const act = (n: number, severity: 'low' | 'high', who = `agent-${n}`) => doing('file.upload', by(who, alertFor(n, { severity })))
  const noise = Array.from({ length: 8 }, (_, n) => budget.decide(act(n, 'low')))
  assert.deepEqual(noise.slice(4), ['delivered', 'held', 'held', 'held'])
  assert.equal(budget.decide(act(20, 'high')), 'delivered')
  const grown = { ...act(6, 'high'), revision: 2, activity: 'update' as const }
  assert.equal(budget.decide(grown), 'delivered', 'held while it was low')
  assert.equal(budget.decide({ ...act(7, 'low'), revision: 2, activity: 'update' }), 'held')
  assert.deepEqual(
    budget.days().map(({ delivered, held }) => [delivered, held]),
    [[7, 2]],
  )
})

test('what a day was used for is kept for nine days, however few alerts there are', () => {
  const budget = new AlertBudget(() => 20)
  const on = (n: number, day: number) => {
    const alert = alertFor(n)
    return budget.decide({ ...alert, firstSeen: alert.firstSeen + day * 86_400_000 })
  }
  for (let n = 0; n < 5; n++) on(n, 30 * n)
  assert.equal(budget.days().length, 1)
  on(10, 121)
  on(11, 112)
  assert.equal(budget.days().length, 3, 'one that comes late for a day long gone is counted for itself')
  on(12, 122)
  assert.deepEqual(
    budget.days().map(({ day }) => day),
    [120, 121, 122].map((day) => new Date(alertFor(0).firstSeen + day * 86_400_000).toISOString().slice(0, 10)),
  )
})

test('the first critical of a kind is never held, historic never forwarded, revisions follow their first', () => {
  const budget = new AlertBudget(() => 1)
  assert.equal(budget.decide(alertFor(1)), 'delivered')
  assert.equal(budget.decide(alertFor(2)), 'held')
  assert.equal(budget.decide(alertFor(3, { critical: true, severity: 'critical' })), 'delivered')
  assert.equal(budget.decide(alertFor(5, { critical: true, severity: 'critical' })), 'held', 'the second of its kind, beyond the ceiling')
  assert.equal(budget.decide(alertFor(4, { historic: true })), 'historic')
  assert.equal(budget.decide(alertFor(1, { revision: 2, activity: 'update' })), 'delivered')
  assert.equal(budget.decide(alertFor(2, { revision: 2, activity: 'update' })), 'held')
  assert.deepEqual(
    budget.days().map((d) => [d.delivered, d.critical, d.held]),
    [[2, 1, 2]],
  )
  const other = alertFor(2, { revision: 3, activity: 'update', critical: true })
  assert.equal(budget.decide({ ...other, family: 'travel' }), 'delivered', 'let out once it is the first critical of another kind')
  assert.deepEqual(
    budget.days().map((d) => [d.delivered, d.critical, d.held]),
    [[3, 2, 1]],
  )
})

test('a closing goes where its group went, counts for nothing and takes no room', () => {
  const budget = new AlertBudget(() => 1)
  budget.decide(alertFor(1))
  budget.decide(alertFor(2))
  const before = budget.state()
  const close = (n: number) => budget.decide(alertFor(n, { revision: 2, activity: 'close' }))
  assert.deepEqual([close(1), close(2)], ['delivered', 'held'])
  const longAgo = alertFor(3, { revision: 2, activity: 'close' })
  assert.equal(budget.decide({ ...longAgo, firstSeen: longAgo.firstSeen - 30 * 86_400_000 }), 'delivered')
  assert.deepEqual(budget.state(), before)
})

test('the same alerts in the same order give the same decisions, however often it is restarted', () => {
  const anyAlert = fc.record({
    n: fc.nat(40),
    revision: fc.integer({ min: 1, max: 3 }),
    critical: fc.boolean(),
    severity: fc.constantFrom('low', 'medium', 'high' as const),
    day: fc.nat(12),
  })
  fc.assert(
    fc.property(fc.array(anyAlert, { maxLength: 80 }), fc.nat(5), (drawn, perDay) => {
      const alerts = drawn.map(({ n, day, ...x }) => {
        const a = alertFor(n, x)
        return { ...a, id: `${day}-${n}`, firstSeen: a.firstSeen + day * 86_400_000 }
      })
      const whole = new AlertBudget(() => perDay)
      let restarted = new AlertBudget(() => perDay)
      const seen = new Map<string, Set<string>>()
      for (const alert of alerts) {
        const decision = whole.decide(alert)
        assert.equal(restarted.decide(alert), decision)
        restarted = new AlertBudget(() => perDay, JSON.parse(JSON.stringify(restarted.state())))
        if (decision === 'delivered')
          seen.set(
            `${Math.floor(alert.firstSeen / 86_400_000)}`,
            (seen.get(`${Math.floor(alert.firstSeen / 86_400_000)}`) ?? new Set()).add(alert.id),
          )
      }
      for (const d of whole.days()) assert.ok(d.delivered - d.critical <= perDay)
    }),
    { seed: 9, numRuns: 300 },
  )
})

test('a failing sink is tried again and loses nothing, and holds up no other', async () => {
  const alerts = Array.from({ length: 20 }, (_, n) => alertFor(n))
  let failures = 3
  const slow = collecting('slow', () => {
    if (failures-- > 0) throw new PlumblineError('DOWN', 'down', { retryable: true })
  })
  const quick = collecting('quick')
  const forwarder = await createForwarder({
    source: sourceOf(alerts),
    sinks: [slow.sink, quick.sink],
    store: memoryStore(),
    budgetPerDay: 100,
    batch: 7,
    retryPauseMs: 1,
  })
  await forwarder.drain()
  assert.deepEqual(
    slow.got.map((a) => a.id),
    alerts.map((a) => a.id),
  )
  assert.deepEqual(
    quick.got.map((a) => a.id),
    alerts.map((a) => a.id),
  )
  assert.equal(forwarder.status().sinks[0]?.failures, 3)
  await forwarder.close()
})

test('killed at any save, the next run delivers the rest: nothing lost, same decisions', async () => {
  const alerts = Array.from({ length: 23 }, (_, n) => ofFamily(n, alertFor(n)))
  for (let killAt = 0; killAt < 8; killAt++) {
    const store = memoryStore()
    let saves = 0
    const dying: CursorStore = {
      load: store.load,
      save: (name, bytes, cursor) => (saves++ >= killAt ? new Promise(() => {}) : store.save(name, bytes, cursor)),
    }
    const first = collecting()
    const reached = Promise.withResolvers<void>()
    const watched: CursorStore = {
      ...dying,
      save: (n, b, c) => {
        if (saves >= killAt) reached.resolve()
        return dying.save(n, b, c)
      },
    }
    void createForwarder({ source: sourceOf(alerts), sinks: [first.sink], store: watched, budgetPerDay: 10, batch: 4 })
    await reached.promise
    const second = collecting()
    const forwarder = await createForwarder({ source: sourceOf(alerts), sinks: [second.sink], store, budgetPerDay: 10, batch: 4 })
    await forwarder.drain()
    const ids = new Set([...first.got, ...second.got].map((a) => a.id))
    assert.deepEqual(
      [...ids].sort(),
      alerts.slice(0, 10).map((a) => a.id),
    )
    assert.equal(forwarder.status().held, 13)
    await forwarder.close()
  }
})

test('an alert the receiver will never take is counted and passed over, the others arrive', async () => {
  const picky = collecting('picky', (batch) => {
    if (batch.some((a) => a.id.endsWith('3'))) throw new PlumblineError('WEBHOOK_REFUSED', 'no')
  })
  const forwarder = await createForwarder({
    source: sourceOf(Array.from({ length: 6 }, (_, n) => alertFor(n))),
    sinks: [picky.sink],
    store: memoryStore(),
    budgetPerDay: 50,
  })
  await forwarder.drain()
  assert.equal(picky.got.length, 5)
  assert.equal(forwarder.status().sinks[0]?.refused, 1)
  await forwarder.close()
})

test('what a sink does is told once per alert, also when a batch with a refusal has to be sent again', async () => {
  let down = 2
  const picky = collecting('picky', (batch) => {
    if (batch.some((a) => a.id.endsWith('1'))) throw new PlumblineError('WEBHOOK_REFUSED', 'no')
    if (batch.some((a) => a.id.endsWith('2')) && down-- > 0) throw new PlumblineError('DOWN', 'down', { retryable: true })
  })
  const told: string[] = []
  const forwarder = await createForwarder({
    source: sourceOf(Array.from({ length: 4 }, (_, n) => alertFor(n))),
    sinks: [{ ...picky.sink, takes: (alert) => !alert.id.endsWith('3') }],
    store: memoryStore(),
    budgetPerDay: 50,
    retryPauseMs: 1,
    onSink: (r) => void told.push(r.outcome === 'delivered' ? `${r.alerts} delivered` : `${r.outcome} ${r.error.code}`),
  })
  await forwarder.drain()
  assert.deepEqual(told, ['failed DOWN', 'failed DOWN', '2 delivered', 'refused WEBHOOK_REFUSED'])
  const { cursor: _cursor, ...status } = forwarder.status().sinks[0]!
  assert.deepEqual(status, {
    name: 'picky',
    delivered: 2,
    refused: 1,
    failures: 2,
    waiting: null,
    lastRefusal: { code: 'WEBHOOK_REFUSED', message: 'no' },
  })
  assert.ok(picky.got.every((alert) => !alert.id.endsWith('3')))
  await forwarder.close()
})

test('what becomes of each alert is told in order, and alerts that come later are taken up', async () => {
  const alerts: Alert[] = [alertFor(1), alertFor(2, { historic: true })]
  const told: string[] = []
  const { sink, got } = collecting()
  const forwarder = await createForwarder({
    source: sourceOf(alerts),
    sinks: [sink],
    store: memoryStore(),
    budgetPerDay: 1,
    onDecision: (a, d) => void told.push(`${a.id.slice(-1)} ${d}`),
  })
  await forwarder.drain()
  alerts.push(alertFor(3))
  await Promise.all([forwarder.drain(), forwarder.drain()])
  assert.deepEqual(told, ['1 delivered', '2 historic', '3 held'])
  assert.equal(got.length, 1)
  await forwarder.close()
  await forwarder.drain()
})

test('an alert that cannot be read is counted and passed over, the others arrive; decisions stay those of the readable ones', async () => {
  const good = [alertFor(0), alertFor(1), alertFor(2)]
  const bad = ['null', '{', '{"v":1}', JSON.stringify({ ...alertFor(7), facts: null })]
  const newer = { ...alertFor(3), family: 'of_a_newer_build', more: true }
  const payloads = [good[0], bad[0], bad[1], good[1], bad[2], bad[3], good[2], newer].map((each) =>
    Buffer.from(typeof each === 'string' ? each : JSON.stringify(each)),
  )
  const values = new Map<string, Uint8Array>()
  const ports = outboxPorts(
    {
      read: async (_, after) => payloads.map((payload, i) => ({ sequence: i + 1, payload })).slice(after, after + 3),
      passed: () => payloads.length,
      register: async () => {},
      advance: async () => {},
    },
    {
      get: (name) => values.get(name),
      async put(put) {
        for (const [name, bytes] of Object.entries(put)) values.set(name, bytes!)
      },
    },
  )
  const { sink, got } = collecting()
  const damaged: number[] = []
  const onSink = (report: SinkReport): void => void (report.outcome === 'damaged' && damaged.push(report.cursor))
  const forwarder = await createForwarder({ ...ports, sinks: [sink], budgetPerDay: 50, onSink })
  await forwarder.drain()
  assert.deepEqual(
    got.map(({ id }) => id),
    [...good, newer].map(({ id }) => id),
  )
  assert.deepEqual(damaged, [2, 3, 5, 6])
  assert.deepEqual([forwarder.status().delivered, forwarder.status().sinks[0]?.refused], [4, 4])
  await forwarder.close()
})

test('the place behind what holds no alerts is saved, and kept over a restart', async () => {
  const store = memoryStore()
  const source: AlertSource = { ...sourceOf([alertFor(0)]), passed: (cursor) => Math.max(cursor, 5) }
  for (const expected of [1, 0]) {
    const { sink, got } = collecting()
    const forwarder = await createForwarder({ source, sinks: [sink], store, budgetPerDay: 50 })
    await forwarder.drain()
    assert.deepEqual([got.length, forwarder.status().sinks[0]?.cursor, forwarder.status().delivered], [expected, 5, 1])
    await forwarder.close()
  }
})
