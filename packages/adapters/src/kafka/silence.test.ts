import assert from 'node:assert/strict'
import { test } from 'node:test'
import { watchSilence } from './silence.ts'

test('silence is told once it is long enough, not to who stood still itself, and not after the end', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  let at = 0
  const told: number[] = []
  const watch = watchSilence(
    1_000,
    (ms) => told.push(ms),
    () => at,
  )
  const pass = (ms: number): void => {
    for (let left = ms; left > 0; left -= 100) {
      at += 100
      t.mock.timers.tick(100)
    }
  }
  pass(900)
  watch.heard()
  pass(900)
  assert.deepEqual(told, [])
  pass(200)
  assert.deepEqual(told, [1_100])
  watch.heard()
  // The whole process was stopped: its clock went on, its timers did not.
  at += 60_000
  pass(900)
  assert.equal(told.length, 1)
  pass(400)
  assert.equal(told.length, 2)
  watch.end()
  pass(5_000)
  assert.equal(told.length, 2)
})
