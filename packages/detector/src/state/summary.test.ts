import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DAY, MINUTE, Rig, START } from '../rig.testkit.ts'
import { summariseSlot } from './summary.ts'

test('a summary tells what a slot holds, in units a person knows', () => {
  const rig = new Rig()
  // Ten days, each from nine to ten, four events of a thousand bytes.
  for (let day = 0; day < 10; day++)
    for (let i = 0; i < 4; i++)
      rig.act({ at: START + day * DAY + i * 10 * MINUTE, bytesOut: 1_000, outcome: i === 3 ? 'denied' : 'success' })
  const [slot] = [...rig.store.kept.values()]
  const summary = summariseSlot(slot!)
  assert.deepEqual([summary.events, summary.activeDays, summary.kind, summary.frozen], [40, 9, 'agent', false])
  assert.deepEqual([summary.firstSeenMs, summary.lastSeenMs], [START, START + 9 * DAY + 30 * MINUTE])
  assert.ok(Math.abs(summary.outcomes.success - 0.75) < 0.02 && Math.abs(summary.outcomes.denied - 0.25) < 0.02)
  // START is a Monday at nine: the last day, a Wednesday, is not over.
  const active = summary.hoursOfWeek.flatMap((days, hour) => (days > 0 ? [[Math.floor(hour / 24), hour % 24, days]] : []))
  assert.deepEqual(active, [
    [0, 9, 2],
    [1, 9, 2],
    [2, 9, 1],
    [3, 9, 1],
    [4, 9, 1],
    [5, 9, 1],
    [6, 9, 1],
  ])
  const day = summary.usual.find(({ metric, window }) => metric === 'events' && window === 'day')!
  const sent = summary.usual.find(({ metric, window }) => metric === 'sent' && window === 'hour')!
  assert.ok(Math.abs(day.usual - 4) < 0.2 && Math.abs(day.largest - 4) < 0.2, JSON.stringify(day))
  assert.ok(Math.abs(sent.usual - 4_000) < 200, JSON.stringify(sent))
  assert.ok(summary.maturity > 0 && summary.maturity < 1)
})

test('an empty slot and a damaged one are told apart', () => {
  assert.throws(
    () => summariseSlot(new Uint8Array(3)),
    (error: { code?: string }) => error.code === 'STATE_DAMAGED',
  )
})
