import assert from 'node:assert/strict'
import { test } from 'node:test'
import { random } from '../lib/numbers.ts'
import { alertsAtCeiling, outcomeAtCeiling, type RatedRow } from './ceiling.ts'

const benign = (day: number, session: number, score: number): RatedRow => ({ day, session, score, case: -1, tells: false })
const key = (day: number, session: number, score: number, of: number): RatedRow => ({ day, session, score, case: of, tells: true })

/** Life of some days in which scores are drawn, many of them alike, with a case here and there. */
const life = (seed: number): RatedRow[] => {
  const draw = random(seed)
  return Array.from({ length: 2_000 }, (_, i) => {
    const day = Math.floor(i / 500)
    const of = draw() < 0.02 ? Math.floor(draw() * 10) : -1
    return { day, session: Math.floor(draw() * 150), score: Math.floor(draw() * 40), case: of, tells: of >= 0 && draw() < 0.5 }
  })
}

test('the ceiling counts sessions, not rows', () => {
  const rows = [benign(0, 1, 9), benign(0, 1, 8), benign(0, 2, 7), key(0, 3, 6, 0), key(0, 4, 5, 1)]
  assert.deepEqual([...alertsAtCeiling(rows, 3).keys()], [1, 2, 3])
  assert.deepEqual([...outcomeAtCeiling(rows, 3).caught], [0])
})

test('only rows that reach the bar of the day are of the alert: a case is not caught by a session it merely shares', () => {
  const rows = [benign(0, 1, 9), key(0, 1, 2, 0), benign(0, 2, 5), benign(0, 3, 4)]
  const outcome = outcomeAtCeiling(rows, 2)
  assert.deepEqual([...outcome.caught], [])
  assert.deepEqual(outcome.days, [{ delivered: 2, false: 2 }])
})

test('a session that goes on over midnight stays one alert', () => {
  const rows = [benign(0, 1, 9), key(1, 1, 9, 0), key(1, 2, 3, 1)]
  const outcome = outcomeAtCeiling(rows, 1)
  assert.deepEqual([...outcome.caught].sort(), [0, 1])
  assert.deepEqual(outcome.days, [
    { delivered: 1, false: 0 },
    { delivered: 1, false: 0 },
  ])
})

test('surroundings of an attack are neither caught nor false', () => {
  const outcome = outcomeAtCeiling([{ day: 0, session: 1, score: 9, case: 4, tells: false }], 20)
  assert.deepEqual([outcome.caught.size, outcome.days], [0, [{ delivered: 1, false: 0 }]])
})

test('what scores minus infinity does not alert, room or not', () => {
  const rows = [benign(0, 1, Number.NEGATIVE_INFINITY), benign(0, 2, 0), key(0, 2, Number.NEGATIVE_INFINITY, 0)]
  assert.deepEqual(outcomeAtCeiling(rows, 20), { caught: new Set(), days: [{ delivered: 1, false: 1 }] })
})

test('in a drawn life no day passes the ceiling, more room never catches less, and all room catches every case that tells', () => {
  for (const seed of [1, 2, 3]) {
    const rows = life(seed)
    let before: ReadonlySet<number> = new Set()
    for (const perDay of [0, 1, 5, 20, 150]) {
      const { caught, days } = outcomeAtCeiling(rows, perDay)
      assert.ok(days.every((d) => d.delivered <= perDay && d.false <= d.delivered))
      assert.ok(perDay === 0 || days[0]!.delivered > 0)
      assert.ok([...before].every((c) => caught.has(c)))
      before = caught
    }
    assert.deepEqual([...before].sort(), [...new Set(rows.filter((r) => r.tells).map((r) => r.case))].sort())
  }
})
