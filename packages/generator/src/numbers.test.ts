import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Event } from '@plumbline/schemas'
import { DAY, generateNumbers, NUMBER_ANOMALIES, NUMBER_SHAPES } from './index.ts'

const OPTIONS = { seed: 4, streams: 15, days: 12, startTime: Date.UTC(2026, 9, 1), anomaliesFromDay: 8 }

test('streams of one number: every shape with every anomaly, in order, valid, the same again', () => {
  const { events, cases } = generateNumbers(OPTIONS)
  assert.deepEqual(generateNumbers(OPTIONS), { events, cases })
  assert.equal(new Set(cases.map(({ shape, anomaly }) => `${shape} ${anomaly}`)).size, NUMBER_SHAPES.length * NUMBER_ANOMALIES.length)
  for (const [i, event] of events.entries()) {
    assert.ok(i === 0 || events[i - 1]!.time <= event.time)
    if (i % 50 === 0) Event.parse(event)
  }
  assert.equal(new Set(events.map(({ id }) => id)).size, events.length)
  for (const { from, to } of cases) assert.ok(from >= OPTIONS.startTime + 8 * DAY && to <= OPTIONS.startTime + 12 * DAY)
})

test('an anomaly is what its name says, against the rest of its stream', () => {
  const { events, cases } = generateNumbers(OPTIONS)
  for (const { identity, anomaly, shape, from, to } of cases) {
    const own = events.filter((event) => event.identity.id === identity)
    const inside = own.filter(({ time }) => time >= from && time < to)
    const outside = own.filter(({ time }) => time < from)
    const median = (list: typeof own): number => list.map(({ bytesOut }) => bytesOut!).sort((a, b) => a - b)[list.length >> 1]!
    const rate = (list: typeof own, ms: number): number => list.length / ms
    if (anomaly === 'rhythm') assert.ok(rate(inside, to - from) > 3 * rate(outside, from - OPTIONS.startTime), identity)
    else if (shape !== 'daily' && shape !== 'batches') assert.ok(median(inside) > 1.4 * median(outside), `${identity} ${shape} ${anomaly}`)
  }
})
