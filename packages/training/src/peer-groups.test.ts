import assert from 'node:assert/strict'
import { test } from 'node:test'
import { slotLayout as L } from '@plumbline/detector'
import { findGroups, groupStats, type Member } from './peer-groups.ts'

const none = new Map<number, number>()
/** A member that was active from nine to seventeen on each of the weekdays given (0 Monday), once per mention. */
const member = (weekdays: readonly number[], declared = 0, action = 1): Member => {
  const hours = new Float32Array(168)
  for (const day of weekdays) for (let h = 9; h < 17; h++) hours[day * 24 + h]! += 1
  return {
    learned: 100,
    declared,
    tables: { actions: new Map([[action, 100]]), classes: new Map([[action, 100]]), destinations: none, transitions: none, networks: none },
    hours,
    windows: new Float32Array(L.WINDOW_METRICS * 3),
    histograms: new Float32Array(L.HISTOGRAM_COUNT * L.HISTOGRAM_BUCKETS),
    novelty: new Float32Array(5),
  }
}
const at = (hours: Float32Array, day: number, hour: number): number => hours[day * 24 + hour]! * 168

test('a weekday that history does not hold is expected to be like others of its kind, a weekend like all days', () => {
  const { hours } = groupStats('', [member([3, 4, 0]), member([3, 4]), member([4, 0])])
  assert.ok(Math.abs(hours.reduce((a, b) => a + b, 0) - 1) < 1e-5)
  assert.ok(at(hours, 1, 11) > 2 && at(hours, 5, 11) > 2, 'Tuesday and Saturday before there was one')
  assert.ok(at(hours, 1, 3) < 0.1, 'nights are quiet on any day')
  const weeks = groupStats('', [member([0, 1, 2, 3, 4, 0, 1, 2, 3, 4]), member([0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5])]).hours
  assert.ok(at(weeks, 5, 11) > 0.3 && at(weeks, 5, 11) < at(weeks, 1, 11) / 1.5, 'a Saturday that one of two worked')
})

test('a small group is held against the days the tenant has seen, not against its own presence', () => {
  const others = Array.from({ length: 4 }, () => member([0, 1, 2, 3, 4, 5, 6], 9, 2))
  const [, part] = findGroups([...others, member([0, 1], 7), member([0, 1], 7)], new Map())
  assert.ok(at(part!.stats.hours, 5, 11) < at(part!.stats.hours, 0, 11) / 4)
})

test('each declared group is one of its own, also where there are many', () => {
  const members = Array.from({ length: 60 }, (_, i) => member([0, 1, 2], 1 + (i >> 1), i >> 1))
  assert.equal(findGroups(members, new Map()).length, 30)
})
