import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { EventView, Reason } from '@plumbline/schemas'
import { amount, atLeastADay, bytes, clock, duration, peers, quantity, quietWords, subject, tick, typical } from '../web/src/format.ts'
import { type ServerEvent, eventParser } from '../web/src/sse.ts'

test('amounts have units that people use', () => {
  assert.equal(quantity({ value: 3.2e9, unit: 'bytes' }), '3.2 GB')
  assert.equal(quantity({ value: 40e6, unit: 'bytes', perMs: 3_600_000 }), '40 MB an hour')
  assert.equal(quantity({ value: 214, unit: 'resources', perMs: 360_000 }), '214 resources in 6 min')
  assert.equal(quantity({ value: 1, unit: 'denials', perMs: 86_400_000 }), '1 denial a day')
  assert.equal(quantity({ value: 0.125, unit: 'share' }), '12.5 %')
  assert.equal(quantity({ value: 9240, unit: 'km/h' }), '9,240 km/h')
  assert.equal(quantity({ value: 147, unit: 'hour_of_week' }), 'Sunday 03:00 UTC')
  assert.equal(quantity({ value: 5000, unit: 'events', perMs: 60_000 }), '5,000 events a minute')
  assert.deepEqual([0, 999, 1000, 1536, 999_600, 2.5e12].map(bytes), ['0 B', '999 B', '1 kB', '1.5 kB', '1 MB', '2.5 TB'])
  assert.deepEqual([20, 1500, 90_000, 600_000, 7_200_000, 3 * 86_400_000].map(duration), [
    '20 ms',
    '1.5 s',
    '90 s',
    '10 min',
    '2 h',
    '3 days',
  ])
  assert.deepEqual([0.4312, 12.71, 214, 12_400].map(amount), ['0.43', '12.7', '214', '12,400'])
})

test('a row of observed against typical names no feature', () => {
  const reason: Reason = {
    family: 'toxic_flow',
    feature: 'session_flow_z',
    trigger: 'email',
    object: 'drop.example',
    observed: { value: 2, unit: 'actions' },
    weight: 1,
  }
  assert.equal(subject(reason), 'Flow after email → drop.example')
  assert.equal(typical(reason), 'not known')
  assert.equal(typical({ ...reason, first: true }), 'never before')
  assert.equal(typical({ ...reason, typical: { value: 0.34, unit: 'share' } }), '34 % of its acts')
  const total: Reason = { ...reason, family: 'volume', observed: { value: 4e9, unit: 'bytes', perMs: 86_400_000 } }
  delete total.object
  assert.equal(subject(total), 'Amount of data in all')
  assert.equal(peers({ ...reason, peers: { count: 11, doing: 0 } }), 'none of 11 peers')
  assert.equal(subject({ ...reason, family: 'travel', previous: 'DE', object: 'BR' }), 'Travel DE → BR')
})

test('why it stayed quiet: the score, from what score it would have been said, and what the most unusual event did', () => {
  const event = (score: number, more: Partial<EventView> = {}): EventView => ({
    time: 0,
    eventId: 'e',
    shard: 0,
    offset: 0,
    session: '',
    action: 'dataset.upload',
    resourceClass: 'dataset',
    resource: '',
    destination: '',
    sourceIp: '',
    outcome: 'success',
    bytesIn: 0,
    bytesOut: 0,
    score,
    flags: [],
    ...more,
  })
  const loud = event(61.9, { bytesOut: 80e6, destination: 'files.example' })
  assert.equal(
    quietWords([event(3), loud], 66.2),
    'The most unusual of its 2 events scored 62 of 100; unless a rule speaks, it reports from about 66. That one sent 80 MB to files.example.',
  )
  assert.equal(quietWords([event(12)], undefined), 'Its one event scored 12 of 100.')
  assert.match(quietWords([event(70, { flags: ['excepted'] })], 66), /^Covered by your verdict or an exception\./)
  assert.match(quietWords([event(70, { flags: ['alerted'] })], 66), /^It joined an alert that is already open\./)
})

test('times of other days carry their date', () => {
  const noon = new Date(2026, 10, 24, 12).getTime()
  assert.equal(clock(noon, noon), '12:00:00')
  assert.equal(clock(noon - 24 * 3_600_000, noon), '23 Nov, 12:00')
  assert.equal(clock(new Date(2025, 0, 2, 3, 4).getTime(), noon), '2 Jan 2025, 03:04')
})

test('a chart of one hour shows its day, and marks of another year say the year', () => {
  const hour = new Date(2020, 4, 17, 9).getTime() / 1000
  assert.deepEqual(atLeastADay(hour, hour), [hour - 86_400, hour + 3600])
  assert.deepEqual(atLeastADay(hour - 7 * 86_400, hour), [hour - 7 * 86_400, hour])
  assert.equal(tick(new Date(2020, 4, 17).getTime(), 86_400), '17 May 20')
  assert.equal(tick(new Date(2020, 4, 17, 9).getTime(), 3600), '09:00')
})

test('server-sent events are read the same however the bytes are cut', () => {
  const events: ServerEvent[] = [
    { id: 'a.1', event: 'alert', data: '{"x":"é\\n: y"}' },
    { id: 'a.1', event: 'status', data: '{}' },
    { id: 'a.2', event: 'message', data: 'two\nlines' },
  ]
  const text =
    ': comment\n\nretry: 2000\n\nid: a.1\nevent: alert\ndata: {"x":"é\\n: y"}\n\nevent: status\ndata: {}\n\nid: a.2\ndata: two\ndata: lines\n\n'
  fc.assert(
    fc.property(fc.array(fc.nat(text.length), { maxLength: 12 }), (cuts) => {
      const seen: ServerEvent[] = []
      const parse = eventParser((event) => seen.push(event))
      let from = 0
      for (const cut of [...cuts.sort((a, b) => a - b), text.length]) {
        parse(text.slice(from, cut))
        from = Math.max(from, cut)
      }
      assert.deepEqual(seen, events)
    }),
    { seed: 7 },
  )
})
