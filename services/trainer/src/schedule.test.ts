import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ReleaseEntry } from './releases.ts'
import { due, nextAt, unlearned } from './schedule.ts'

const DAY = 86_400_000
const PACE = { trainAfterEvents: 5000, retrainEveryDays: 7 }
const made = (events: number, modelled = false, toTime = 0): ReleaseEntry => ({
  sequence: 1,
  id: 'r',
  sha256: '',
  modelled,
  events,
  toTime,
  madeAt: 0,
})
const at = (events: number, lastTime = 0) => ({ events, lastTime: () => lastTime })

test('statistics at 500 and each doubling, then the first model', () => {
  const steps: [number, string][] = []
  const releases: ReleaseEntry[] = []
  for (let events = 0; events <= 5000; events += 100) {
    const what = due(releases, PACE, at(events))
    if (what === 'none') continue
    steps.push([events, what])
    releases.push(made(events, what === 'model'))
  }
  assert.deepEqual(steps, [
    [500, 'statistics'],
    [1000, 'statistics'],
    [2000, 'statistics'],
    [4000, 'statistics'],
    [5000, 'model'],
  ])
  assert.equal(nextAt(releases, PACE), 10_000)
})

test('a flood past several steps makes one release, not one per step', () => {
  assert.equal(due([], PACE, at(4200)), 'statistics')
  assert.equal(nextAt([made(4200)], PACE), 5000)
})

test('too few usable rows for a net: tried again with a quarter more events', () => {
  const releases = [made(500), made(5000)]
  assert.equal(due(releases, PACE, at(6249)), 'none')
  assert.equal(due(releases, PACE, at(6250)), 'model')
})

test('later models by event time, when there are twice the events, or after a day that brought much', () => {
  const releases = [made(5000, true, 10 * DAY)]
  assert.equal(due(releases, PACE, at(9999, 11 * DAY - 1)), 'none')
  assert.equal(due(releases, PACE, at(5749, 11 * DAY)), 'none')
  assert.equal(due(releases, PACE, at(5750, 11 * DAY)), 'model')
  assert.equal(due(releases, PACE, at(5749, 17 * DAY - 1)), 'none')
  assert.equal(due(releases, PACE, at(10_000, 10 * DAY)), 'model')
  assert.equal(due(releases, { ...PACE, modelGrowth: Infinity }, at(1_000_000, 10 * DAY)), 'none')
  assert.equal(due(releases, PACE, at(5001, 17 * DAY)), 'model')
})

test('no later model without new events, nor one right after another that found nothing to use', () => {
  assert.equal(due([made(5000, true, 10 * DAY)], PACE, at(5000, 17 * DAY)), 'none')
  assert.equal(due([made(5000, true, 10 * DAY), made(6000, false, 17 * DAY)], PACE, at(6001, 18 * DAY)), 'none')
})

test('the end of a history is learned too, once', () => {
  assert.equal(unlearned([], PACE, 499), 'none')
  assert.equal(unlearned([], PACE, 700), 'statistics')
  assert.equal(unlearned([made(4000)], PACE, 5000), 'model')
  assert.equal(unlearned([made(5000, true, DAY)], PACE, 5001), 'model')
  assert.equal(unlearned([made(5001, true, DAY)], PACE, 5001), 'none')
})

test('nothing in force is older than 30 days of event time, however far apart trainings are asked for', () => {
  const rarely = { ...PACE, retrainEveryDays: 365, modelGrowth: Infinity }
  const model = [made(5000, true, 10 * DAY)]
  assert.equal(due(model, rarely, at(5001, 40 * DAY - 1)), 'none')
  assert.equal(due(model, rarely, at(5001, 40 * DAY)), 'model')
  const statistics = [made(1000, false, 10 * DAY)]
  assert.equal(due(statistics, rarely, at(1001, 40 * DAY - 1)), 'none')
  assert.equal(due(statistics, rarely, at(1001, 40 * DAY)), 'statistics')
  assert.equal(due(statistics, rarely, at(1000, 40 * DAY)), 'none')
})

test('a model that was held back counts as a training: the next one comes when it is due, not at once', () => {
  const held = [made(5000, true, 10 * DAY), { ...made(10_000, true, 12 * DAY), held: ['worse'] }]
  assert.equal(due(held, PACE, at(10_001, 12 * DAY)), 'none')
  assert.equal(due(held, PACE, at(10_001, 19 * DAY)), 'model')
})
