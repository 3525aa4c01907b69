import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Alert, EventInput, Reason } from '@plumbline/schemas'
import fc from 'fast-check'
import { type Act, DAY, eventOf, HOUR, Rig, SECOND, START, strictRelease } from '../rig.testkit.ts'

/** Amounts in facts against a recount of the events themselves. */

const ACTIONS = ['crm.read', 'hr.read', 'files.upload', 'mail.send']
const CLASSES = ['crm', 'hr', 'files']
const PLACES = ['partner.example.com', 'drop.evil.test']
const ADDRESSES = ['192.0.2.1', '198.51.100.7']

const anyAct = fc.record({
  times: fc.integer({ min: 1, max: 5 }),
  gap: fc.constantFrom(SECOND, 20 * SECOND, 400 * SECOND, HOUR),
  who: fc.constantFrom('bot', 'bot', 'bot', 'other'),
  action: fc.constantFrom(...ACTIONS),
  class: fc.constantFrom(...CLASSES),
  sensitivity: fc.constantFrom(0, 2, 3),
  outcome: fc.constantFrom('success' as const, 'success' as const, 'denied' as const, 'failure' as const),
  resource: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  destination: fc.constantFrom(...PLACES),
  bytesOut: fc.nat(1_000_000),
  bytesIn: fc.nat(1_000_000),
  session: fc.constantFrom('s', 't'),
  source: fc.constantFrom(...ADDRESSES.map((ip) => ({ ip }))),
})

type RandomAct = typeof anyAct extends fc.Arbitrary<infer T> ? T : never
type Sent = EventInput & { readonly time: number }

/** Six days in which every name is used, a little of each, so that afterwards the amounts stand out. */
const usual = (): Act[] =>
  Array.from({ length: 6 * 24 }, (_, i) => ({
    at: START + Math.floor(i / 24) * DAY + (i % 24) * 20 * 60 * SECOND,
    action: ACTIONS[i % 4]!,
    class: CLASSES[i % 3]!,
    destination: PLACES[i % 2]!,
    source: { ip: ADDRESSES[Math.floor(i / 2) % 2]! },
    outcome: i % 12 === 0 ? 'denied' : i % 12 === 6 ? 'failure' : 'success',
    sensitivity: i % 6 === 1 ? 2 : 0,
    resource: 'a',
    bytesIn: 100,
    bytesOut: 100,
    session: `d${Math.floor(i / 6)}`,
  }))

/** The usual days, then acts in a row, each some times, through a detector that finds nearly everything worth an alert. */
const play = (acts: readonly RandomAct[], first: readonly Act[] = []): { readonly rig: Rig; readonly sent: readonly (Sent | null)[] } => {
  const rig = new Rig({ config: { tailFloor: 0.3 } })
  const sent: (Sent | null)[] = []
  const send = (act: Act): void => {
    sent[rig.log.length] = eventOf(act, '') as Sent
    rig.act(act)
  }
  for (const act of first) send(act)
  if (first.length > 0) rig.release(strictRelease(rig.config, false, { thresholds: { tailFloorLog10: 0.5, alertTailLog10: 0.5 } }))
  let at = START + 7 * DAY
  for (const { gap, times, ...act } of acts) for (let i = 0; i < times; i++) send({ at: (at += gap), ...act } as Act)
  return { rig, sent }
}

/** The recount: what one event adds to a feature's total. */
const COUNTS: Readonly<Record<string, (e: Sent) => number>> = {
  sensitive_hour: (e) => ((e.resource.sensitivity ?? 0) >= 2 && e.action.endsWith('read') ? 1 : 0),
  failures_hour: (e) => (e.outcome === 'failure' ? 1 : 0),
  denied_hour: (e) => (e.outcome === 'denied' ? 1 : 0),
  rate_minute: () => 1,
  rate_hour: () => 1,
  rate_day: () => 1,
  bytes_out_minute: (e) => e.bytesOut ?? 0,
  bytes_out_hour: (e) => e.bytesOut ?? 0,
  bytes_out_day: (e) => e.bytesOut ?? 0,
  bytes_in_hour: (e) => e.bytesIn ?? 0,
  bytes_in_day: (e) => e.bytesIn ?? 0,
  drift_rate: () => 1,
  drift_bytes: (e) => e.bytesOut ?? 0,
}
/** Kept in few bits, so never above what there was: told as "at least". */
const AT_MOST: Readonly<Record<string, (e: Sent) => unknown>> = {
  enumeration_hour: (e) => e.resource.id,
  sources_hour: (e) => e.source?.ip,
}

const check = (reason: Reason, now: Sent, before: readonly Sent[]): void => {
  const { feature, observed, object } = reason
  if (observed.unit === 'bytes' && observed.perMs === undefined)
    return assert.equal(observed.value, feature.startsWith('bytes_out') ? now.bytesOut : now.bytesIn, feature)
  const { perMs } = observed
  if (perMs === undefined) return
  assert.equal(object, undefined, `${feature}: a total is of no object`)
  const inWindow = before.filter((e) => Math.floor(e.time / perMs) === Math.floor(now.time / perMs))
  const count = COUNTS[feature]
  if (count !== undefined) {
    const sum = inWindow.reduce((n, e) => n + count(e), 0)
    assert.ok(Math.abs(observed.value - sum) <= sum * 1e-6, `${feature}: told ${observed.value}, counted ${sum}`)
  }
  const distinct = AT_MOST[feature]
  if (distinct !== undefined) assert.ok(observed.value <= new Set(inWindow.map(distinct)).size, feature)
}

test('every amount is what a recount of the events gives', () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(fc.array(anyAct, { minLength: 20, maxLength: 50 }), (acts) => {
      const { rig, sent } = play(acts, usual())
      const shown = (alert: Alert): boolean => alert.activity !== 'close'
      for (const { facts, replay } of rig.alerts.filter(shown)) {
        const now = sent[replay.position.offset]!
        const before = sent.slice(0, replay.position.offset + 1).filter((e): e is Sent => e?.identity.id === now.identity.id)
        for (const reason of facts.reasons) {
          check(reason, now, before)
          if (reason.observed.perMs !== undefined) seen.add(reason.feature)
        }
      }
    }),
    { seed: 3, numRuns: 40 },
  )
  for (const feature of ['bytes_in_hour', 'bytes_out_hour', 'bytes_out_day', 'denied_hour', 'drift_bytes'])
    assert.ok(seen.has(feature), feature)
})

test('"n times" is the number of events of the group, all of which did the same', () => {
  let checked = 0
  fc.assert(
    fc.property(fc.array(anyAct, { minLength: 20, maxLength: 50 }), (acts) => {
      const { rig, sent } = play(acts)
      for (const { text, count, evidence } of rig.alerts) {
        const group = evidence.map((p) => sent[p.offset]!)
        assert.equal(group.length, Math.min(count, 32))
        const done = new Set(group.map((e) => `${e.identity.id} ${e.action} ${e.resource.class} ${e.destination} ${e.outcome}`))
        const times = / (\d+) times in (?!1 (min|h)\b|24 h)/.exec(text.headline)
        if (times === null) continue
        assert.deepEqual([Number(times[1]), done.size], [count, 1], text.headline)
        checked++
      }
    }),
    { seed: 4, numRuns: 40 },
  )
  assert.ok(checked > 20, `${checked}`)
})
