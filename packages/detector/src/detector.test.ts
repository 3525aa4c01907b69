import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SCORED_FLAGS } from '@plumbline/schemas'
import fc from 'fast-check'
import { eventKey, shardOf } from './2-identify/shard.ts'
import { DAY, eventOf, feature, HOUR, MINUTE, Rig, SECOND, START, work } from './rig.testkit.ts'
import { H, SE, SESSION_BYTES, SESSIONS, W, WINDOWS } from './state/layout.ts'

const ids = (rig: Rig): number[] => [0, 4, 8].map((at) => rig.view().u32(WINDOWS + at))

test('an event more than five minutes ahead of its arrival is a dead letter, and leaves no trace', () => {
  const rig = new Rig()
  assert.equal(rig.act({ at: START + 5 * MINUTE + 1 }, { arrival: START }), undefined)
  assert.deepEqual(
    rig.deadLetters.map((d) => [d.code, d.stage, d.offset]),
    [['TIME_FUTURE', 'decode', 0]],
  )
  assert.equal(rig.store.kept.size, 0)
  assert.ok(rig.act({ at: START + 5 * MINUTE }, { arrival: START }))
})

test('an event from the tolerated future does not freeze the windows of what follows', () => {
  const rig = new Rig()
  rig.act({ at: START + 5 * MINUTE }, { arrival: START })
  const [minute] = ids(rig)
  assert.equal(minute, START / MINUTE)
  for (let i = 1; i <= 4; i++) rig.act({ at: START + i * SECOND })
  assert.equal(rig.window(W.eventsMinute)[0], 5)
  rig.act({ at: START + MINUTE })
  assert.equal(rig.window(W.eventsMinute)[0], 1)
  assert.equal(rig.window(W.eventsHour)[0], 6)
})

test('out of order inside the hour counts; from before the hour it is scored, and the windows stay silent', () => {
  const rig = new Rig()
  work(rig, 4)
  const at = START + 4 * DAY + 30 * MINUTE
  rig.act({ at })
  rig.act({ at: at - 20 * MINUTE }, { arrival: at })
  assert.equal(rig.window(W.eventsHour)[0], 2)
  const before = ids(rig)
  const row = rig.act({ at: at - 3 * HOUR, bytesOut: 5e9 }, { arrival: at })!
  assert.deepEqual(ids(rig), before)
  assert.equal(rig.window(W.eventsHour)[0], 2)
  assert.equal(rig.window(W.bytesOutDay)[0], 0)
  for (const name of ['rate_minute', 'rate_hour', 'rate_day', 'bytes_out_hour', 'bytes_out_day', 'drift_bytes'])
    assert.equal(feature(row, name), 0, name)
  assert.ok(feature(row, 'bytes_out_own') > 0)
})

test('windows never go back, whatever times come in whatever order', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: -3 * DAY, max: 5 * MINUTE }), fc.nat(4 * HOUR)), { maxLength: 60 }), (moves) => {
      const rig = new Rig()
      let arrival = START
      let last = [0, 0, 0]
      for (const [shift, pause] of moves) {
        arrival += pause
        if (rig.act({ at: arrival + shift }, { arrival }) === undefined) continue
        const now = ids(rig)
        assert.ok(now.every((id, i) => id >= last[i]!))
        assert.ok(now[0]! <= arrival / MINUTE)
        last = now
      }
    }),
    { seed: 4, numRuns: 60 },
  )
})

test('older than seven days is marked late and not learned; a backfilled record of any age is', () => {
  const rig = new Rig()
  work(rig, 3)
  const now = START + 30 * DAY
  const late = rig.act({ at: now - 7 * DAY - 1 }, { arrival: now })!
  const just = rig.act({ at: now - 7 * DAY }, { arrival: now })!
  const old = rig.act({ at: now - 29 * DAY }, { arrival: now, historic: true })!
  assert.equal(late.flags & (SCORED_FLAGS.late | SCORED_FLAGS.learned), SCORED_FLAGS.late)
  assert.equal(just.flags & (SCORED_FLAGS.late | SCORED_FLAGS.learned), SCORED_FLAGS.learned)
  assert.equal(old.flags & (SCORED_FLAGS.late | SCORED_FLAGS.learned | SCORED_FLAGS.historic), SCORED_FLAGS.learned | SCORED_FLAGS.historic)
  assert.equal(rig.act({ at: now })!.flags & SCORED_FLAGS.historic, 0)
})

test('who returns after months is no stranger', () => {
  const rig = new Rig()
  const end = work(rig, 20)
  const learned = rig.learned()
  const days = rig.view().f32(H.activeDays)
  const row = rig.act({ at: end + 200 * DAY, session: 'back' })!
  assert.equal(row.flags & (SCORED_FLAGS.newIdentity | SCORED_FLAGS.alerted), 0)
  assert.ok(rig.learned() >= learned / 8 - 1 && rig.learned() <= learned / 8 + 1, `${learned} → ${rig.learned()}`)
  assert.equal(rig.view().f32(H.activeDays), days + 1, 'silence is no day of activity')
  assert.ok(feature(row, 'silence') > Math.log(200 * 86_400 * 0.9))
  assert.ok(feature(row, 'action_own') < 3, 'what it does is still known')
  assert.equal(rig.alerts.length, 0)
})

test('a robot of constant rate that bursts is told by its rate', () => {
  const rig = new Rig()
  const days = 6
  for (let i = 0; i < days * 96; i++) rig.act({ at: START + i * 15 * MINUTE, action: 'probe.read', class: 'monitoring' })
  assert.equal(rig.alerts.length, 0)
  for (let i = 0; i < 300; i++) rig.act({ at: START + days * DAY + i * 100, action: 'probe.read', class: 'monitoring' })
  assert.equal(rig.alerts[0]?.family, 'rate')
  assert.ok(rig.alerts[0].count < 100, 'within the first hundred events')
  assert.equal(new Set(rig.alerts.map((a) => a.id)).size, 1)
})

test('a robot that only ever did one thing is quiet until it does another', () => {
  const rig = new Rig()
  const end = work(rig, 12, 30, { action: 'probe.read', class: 'monitoring', bytesIn: 100 })
  const same = rig.act({ at: end, action: 'probe.read', class: 'monitoring', bytesIn: 100 })!
  assert.ok(feature(same, 'action_own') < 0.2 && same.score < 40, `${feature(same, 'action_own')} ${same.score}`)
  const other = rig.act({ at: end + 5 * MINUTE, action: 'payroll.export', class: 'payroll', bytesIn: 100 })!
  assert.ok(feature(other, 'action_own') > 4 && other.score > same.score + 20)
})

test('a new identity scores from its first event, says that it is new, and does not alert for being new', () => {
  const rig = new Rig()
  work(rig, 3)
  const first = rig.act({ at: START + 3 * DAY, who: 'newcomer' })!
  const second = rig.act({ at: START + 3 * DAY + SECOND, who: 'newcomer' })!
  assert.equal(first.flags & SCORED_FLAGS.newIdentity, SCORED_FLAGS.newIdentity)
  assert.equal(second.flags & SCORED_FLAGS.newIdentity, 0)
  assert.ok(first.maturity === 0 && second.maturity > 0 && second.maturity < 0.1)
  for (let i = 0; i < 30; i++) rig.act({ at: START + 3 * DAY + i * MINUTE, who: 'newcomer', action: `tool.read_${i}` })
  assert.deepEqual(rig.alerts, [])
})

test('an arrival out of order from another country is no impossible journey', () => {
  const rig = new Rig()
  const source = (country: string, third: number) => ({ source: { country, ip: `192.0.${third}.7` } })
  const end = work(rig, 12, 30, source('DE', 1))
  rig.act({ at: end, ...source('DE', 1) })
  // The office in the US logged it the evening before; it only arrives now.
  const row = rig.act({ at: end - 12 * HOUR, ...source('US', 2) }, { arrival: end + MINUTE })!
  const speed = Math.expm1(feature(row, 'travel_speed'))
  assert.ok(speed > 300 && speed < 900, `${speed} km/h`)
  assert.equal(rig.alerts.length, 0)
  rig.act({ at: end + 2 * MINUTE, ...source('JP', 3), action: 'crm.purge', bytesOut: 9e6 })
  assert.equal(rig.alerts.at(-1)?.family, 'travel')
  assert.equal(rig.alerts.at(-1)?.facts.reasons[0]?.sinceMs, 2 * MINUTE)
})

test('a journey is timed from country to country, whatever the identity did in between without saying where', () => {
  const rig = new Rig()
  const end = work(rig, 12, 30, { source: { country: 'DE', ip: '192.0.1.7' } })
  rig.act({ at: end, source: { country: 'DE', ip: '192.0.1.7' } })
  for (let i = 1; i < 96; i++) rig.act({ at: end + i * 15 * MINUTE })
  const row = rig.act({ at: end + DAY, source: { country: 'US', ip: '192.0.2.7' } })!
  assert.ok(Math.expm1(feature(row, 'travel_speed')) < 400)
})

test('an id seen among the last 32 is stored and flagged, and changes nothing; beyond them it is new again', () => {
  const rig = new Rig()
  for (let i = 0; i < 40; i++) rig.act({ at: START + i * MINUTE }, { id: `id-${i}` })
  const before = rig.slot()
  const repeated = rig.act({ at: START + 39 * MINUTE, bytesOut: 1e12, action: 'drop.table' }, { id: 'id-8' })!
  assert.equal(repeated.flags & (SCORED_FLAGS.duplicate | SCORED_FLAGS.learned | SCORED_FLAGS.alerted), SCORED_FLAGS.duplicate)
  assert.deepEqual(rig.slot(), before)
  assert.equal(rig.act({ at: START + 40 * MINUTE }, { id: 'id-8' })!.flags & SCORED_FLAGS.duplicate, SCORED_FLAGS.duplicate)
  assert.equal(rig.act({ at: START + 40 * MINUTE }, { id: 'id-7' })!.flags & SCORED_FLAGS.duplicate, 0)
  assert.equal(
    rig.act({ at: START + 41 * MINUTE, who: 'other' }, { id: 'id-39' })!.flags & SCORED_FLAGS.duplicate,
    0,
    'ids are per identity',
  )
})

test('a name with a byte order mark is refused: it would be another identity, or tenant, that looks the same', () => {
  const rig = new Rig()
  for (const change of [{ who: '\ufeffbot' }, { tenant: '\ufeffdefault' }]) assert.equal(rig.act({ at: START, ...change }), undefined)
  assert.deepEqual(
    rig.deadLetters.map((d) => d.code),
    ['FIELD_INVALID', 'FIELD_INVALID'],
  )
})

test('a chunk without records leaves the position where it was', () => {
  const rig = new Rig()
  rig.act({ at: START })
  assert.equal(rig.detector.process(0, []).nextOffset, 1)
  rig.restart()
  const commit = rig.detector.process(0, [])
  assert.deepEqual([commit.nextOffset, commit.scored, commit.slots], [1, null, []])
})

test('a shard that was not opened, or was forgotten, takes no records', () => {
  const rig = new Rig()
  assert.throws(() => rig.detector.process(3, []), { code: 'SHARD_NOT_OPEN' })
  rig.detector.forget(0)
  assert.throws(() => rig.detector.process(0, []), { code: 'SHARD_NOT_OPEN' })
})

test('a record in a shard that its identity does not belong to is a dead letter and leaves no trace', () => {
  const rig = new Rig({ config: { shards: 8 } })
  const names = Array.from({ length: 40 }, (_, i) => `agent-${i}`)
  const here = names.filter((who) => shardOf('default', who, 8) === 0)
  const elsewhere = names.filter((who) => shardOf('default', who, 8) !== 0)
  assert.ok(here.length > 0 && elsewhere.length > 0)
  for (const who of here) assert.ok(rig.act({ at: START, who }))
  // The record says whose it is; a key that fits the shard does not make it belong.
  const key = eventKey('default', here[0]!)
  for (const who of elsewhere)
    assert.equal(rig.record(key, Buffer.from(JSON.stringify(eventOf({ at: START, who }, `x-${who}`))), START), undefined)
  assert.deepEqual([...new Set(rig.deadLetters.map((d) => `${d.stage} ${d.code} ${d.field}`))], ['identify SHARD_MISMATCH identity.id'])
  assert.equal(rig.deadLetters.length, elsewhere.length)
  assert.equal(rig.store.kept.size, here.length)
  assert.ok(rig.act({ at: START, who: here[0]!, tenant: 'default' }))
})

test('of five open sessions the one whose last event is the oldest gives way, and that is counted', () => {
  const rig = new Rig()
  const visit = (session: string, minute: number): number => {
    rig.act({ at: START + minute * MINUTE, session })
    return rig.detector.counters.sessionsOverflow
  }
  const hashes = (): number[] => [0, 1, 2, 3].map((i) => rig.view().u32(SESSIONS + i * SESSION_BYTES + SE.hash))
  assert.deepEqual([visit('a', 0), visit('b', 1), visit('c', 2), visit('d', 3)], [0, 0, 0, 0])
  const [a, b, c, d] = hashes()
  assert.equal(visit('a', 4), 0)
  assert.equal(visit('e', 5), 1)
  const e = hashes()[1]
  assert.deepEqual([hashes()[0], hashes()[2], hashes()[3]], [a, c, d], 'b was silent for longest')
  assert.equal(visit('b', 6), 2)
  assert.deepEqual(hashes(), [a, e, b, d])
  // Equal last events: the first place.
  for (const session of ['w', 'x', 'y', 'z']) visit(session, 10)
  const before = hashes()
  visit('v', 11)
  assert.deepEqual(hashes().slice(1), before.slice(1))
  assert.notEqual(hashes()[0], before[0])
})

test('a session that is over by its age gives way uncounted', () => {
  const rig = new Rig()
  for (const session of ['a', 'b', 'c', 'd']) rig.act({ at: START, session })
  rig.act({ at: START + 12 * HOUR, session: 'e' })
  assert.equal(rig.detector.counters.sessionsOverflow, 1, 'at twelve hours still open')
  rig.act({ at: START + 12 * HOUR + SECOND, session: 'f' })
  assert.equal(rig.detector.counters.sessionsOverflow, 1)
  rig.act({ at: START + 12 * HOUR + 2 * SECOND, session: 'g' }, { id: 'e0' })
  assert.equal(rig.detector.counters.sessionsOverflow, 1)
})

test('behind the current hour an event is late: scored, flagged, not learned; inside the hour, or of a backfill, it is learned', () => {
  const rig = new Rig()
  work(rig, 4)
  const at = START + 4 * DAY + 30 * MINUTE
  rig.act({ at })
  const before = rig.learned()
  const { late, learned } = SCORED_FLAGS
  const inside = rig.act({ at: at - 20 * MINUTE, action: 'crm.inside' }, { arrival: at })!
  assert.equal(inside.flags & (late | learned), learned)
  const behind = rig.act({ at: at - 31 * MINUTE, action: 'crm.behind' }, { arrival: at })!
  assert.equal(behind.flags & (late | learned), late)
  assert.equal(rig.learned(), before + 1)
  assert.equal(rig.detector.counters.late, 1)
  assert.ok(feature(rig.act({ at, action: 'crm.behind' })!, 'action_own') > 2, 'still a first')
  const historic = rig.act({ at: at - DAY, action: 'crm.old' }, { arrival: at, historic: true })!
  assert.equal(historic.flags & (late | learned), learned)
})

test('what is older than seven days moves no window either', () => {
  const rig = new Rig()
  work(rig, 3)
  const at = START + 10 * DAY
  rig.act({ at, bytesOut: 5e9 }, { arrival: at + 7 * DAY + 1 })
  assert.deepEqual([rig.window(W.eventsHour)[0], rig.window(W.bytesOutDay)[0]], [0, 0])
})

test('one network, however its addresses are written, is one source; another network is another', () => {
  const rig = new Rig()
  const from = (ip: string, i: number): number => feature(rig.act({ at: START + i * MINUTE, source: { ip } })!, 'source_own')
  for (let i = 0; i < 20; i++) from('2001:db8:0:1::5', i)
  const known = from('2001:db8:0:1::5', 20)
  for (const ip of ['2001:DB8::1:0:0:0:6', '2001:0db8:0000:0001:0000:0000:0000:0005', '2001:db8:0:ffff:1:2:192.0.2.7'])
    assert.ok(from(ip, 21) <= known, ip)
  assert.ok(from('2001:db8:1::5', 22) > known + 1)
  for (let i = 23; i < 43; i++) from('192.0.2.9', i)
  const mapped = from('192.0.2.9', 43)
  for (const ip of ['::ffff:192.0.2.77', '::FFFF:c000:0204', '0:0:0:0:0:ffff:192.0.2.1']) assert.ok(from(ip, 44) <= mapped, ip)
})

test('an empty policy and none give the same rows, bit for bit', () => {
  const name = (...names: string[]) => fc.constantFrom(...names)
  const act = fc.record(
    {
      action: name('crm.read', 'mail.send', 'web.fetch', 'hr.update', 'Payroll_Export', 'tool'),
      class: name('crm', 'mail', 'web', 'hr', 'tool', 'secrets', 'Payment'),
      resource: name('r1', 'r2', '/srv/hr/salaries.csv'),
      destination: name('drop.example.net', 'db.internal', '10.0.0.7', 'anna@example.org', '/tmp/x', 'account:DE99'),
      session: name('a', 'b'),
      sensitivity: fc.integer({ min: 0, max: 3 }),
      content: fc.record({ untrusted: fc.boolean() }),
      bytesOut: fc.nat(1e6),
      outcome: name('success', 'failure', 'denied') as fc.Arbitrary<'success'>,
    },
    { requiredKeys: ['action', 'class'] },
  )
  fc.assert(
    fc.property(fc.array(act, { minLength: 1, maxLength: 40 }), (acts) => {
      const run = (withPolicy: boolean): unknown => {
        const rig = new Rig({ config: { tailFloor: 0.05 } })
        if (withPolicy) rig.policy({})
        else rig.control('erase', { identity: 'nobody' })
        rig.strict(true)
        acts.forEach((a, i) => rig.act({ at: START + i * 7 * MINUTE, ...a }))
        return [rig.rows, rig.alerts, rig.slot()]
      }
      assert.deepEqual(run(true), run(false))
    }),
    { seed: 5, numRuns: 40 },
  )
})
