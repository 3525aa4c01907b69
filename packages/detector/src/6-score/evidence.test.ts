import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidenceOf, runAfter, UNUSUAL_TAIL, unusualAfter } from './evidence.ts'

/** What a session of these tails comes to before its next event, and the evidence of each event on the way. */
const through = (tails: readonly number[]) => {
  let unusual = 0
  let run = 0
  const evidence = tails.map((tail) => {
    const here = evidenceOf(tail, unusual, run)
    unusual = unusualAfter(unusual, tail >= UNUSUAL_TAIL)
    run = runAfter(run, tail)
    return here
  })
  return { evidence, unusual, run }
}
const ONE_IN_TWENTY = 1.3
const AVERAGE = 0.434

test('acts that are a little odd one after the other come to more than each of them', () => {
  const { evidence } = through(Array.from({ length: 12 }, () => 2))
  assert.equal(evidence[0], 2, 'the first has nothing before it')
  assert.ok(evidence.slice(1).every((e, i) => e >= evidence[i]!))
  assert.ok(evidence.at(-1)! > 2.7)
})

test('odd acts now and then are life, and so is a run that is hardly odd', () => {
  const nowAndThen = Array.from({ length: 40 }, (_, i) => (i % 8 === 0 ? 2 : AVERAGE))
  assert.deepEqual(through(nowAndThen).evidence, nowAndThen)
  const hardly = Array.from({ length: 40 }, () => 1.1)
  assert.deepEqual(through(hardly).evidence, hardly)
})

test('a run ends with usual acts, and never counts against what follows it', () => {
  const odd = Array.from({ length: 10 }, () => 2)
  const { evidence, run } = through([...odd, ...Array.from({ length: 12 }, () => 0)])
  assert.equal(run, 0)
  assert.equal(evidence.at(-1), 0)
  assert.equal(through([0, 0, 0, 0, 3]).evidence.at(-1), 3, 'after the most usual acts an odd one is as odd as it is')
})

test('what is far out by itself makes no run of its own', () => {
  const { evidence } = through([AVERAGE, 12, AVERAGE])
  assert.equal(evidence[2], AVERAGE)
})

test('of a run and of very unusual events not long before, the larger is added, and runs add to any event', () => {
  const { unusual, run } = through(Array.from({ length: 8 }, () => 4))
  const both = evidenceOf(4, unusual, run)
  assert.equal(both, Math.max(evidenceOf(4, unusual, 0), evidenceOf(4, 0, run)))
  assert.ok(both > 4)
  assert.ok(evidenceOf(0.5, unusual, run) > 0.5, 'a usual act amid them too')
  assert.equal(evidenceOf(0.5, unusual, 0), 0.5)
})

test('a run fits into its eight bits whatever the tails are, and only rises with them', () => {
  for (const tail of [0, AVERAGE, ONE_IN_TWENTY, 5, 12, Number.POSITIVE_INFINITY]) {
    let run = 0
    for (let i = 0; i < 200; i++) {
      run = runAfter(run, tail)
      assert.ok(Number.isInteger(run) && run >= 0 && run <= 255)
    }
    assert.ok(runAfter(100, tail) >= runAfter(100, 0))
  }
})
