import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Act, DAY, feature, MINUTE, Rig, START, work } from '../rig.testkit.ts'

/** An identity that knows its two actions well, and what it does from then on, a minute apart. */
const known = (): { readonly rig: Rig; readonly again: (action: string, act?: Partial<Act>) => number } => {
  const rig = new Rig({ config: { tailFloor: 0 } })
  const end = work(rig, 10, 60)
  let minutes = 0
  return {
    rig,
    again: (action, act = {}) => feature(rig.act({ at: end + minutes++ * MINUTE, session: 'later', action, ...act })!, 'action_again'),
  }
}

test('a rare action counts each time that it was among the last four rare ones, the first time not at all', () => {
  const { again } = known()
  assert.deepEqual(
    Array.from({ length: 7 }, () => again('crm.export')),
    [0, 2, 4, 6, 8, 8, 8],
  )
})

test('usual acts between do not matter, and never count themselves', () => {
  const { again } = known()
  assert.equal(again('crm.export'), 0)
  for (let i = 0; i < 40; i++) assert.equal(again(i % 2 === 0 ? 'crm.read' : 'crm.search'), 0)
  assert.equal(again('crm.export'), 2)
})

test('different rare actions one after the other are none again, and push out what came before', () => {
  const { again } = known()
  assert.deepEqual(
    ['a.one', 'a.two', 'a.three', 'a.four', 'a.five'].map((action) => again(action)),
    [0, 0, 0, 0, 0],
  )
  assert.equal(again('a.one'), 0)
  assert.equal(again('a.five'), 2)
})

test('it is the identity that is remembered, over its sessions, and nobody else', () => {
  const { again } = known()
  assert.equal(again('crm.export', { session: 'one' }), 0)
  assert.equal(again('crm.export', { session: 'two' }), 2)
  assert.equal(again('crm.export', { who: 'other', session: 'three' }), 0)
})

test('what is learned stops being rare, and then counts no more', () => {
  const rig = new Rig({ config: { tailFloor: 0 } })
  const end = work(rig, 10, 20)
  const values = Array.from({ length: 40 }, (_, i) =>
    feature(rig.act({ at: end + i * 5 * MINUTE, session: 'new', action: 'crm.export' })!, 'action_again'),
  )
  assert.ok(Math.max(...values) > 0)
  assert.deepEqual(values.slice(-10), Array<number>(10).fill(0))
})

test('it survives a restart', () => {
  const { rig, again } = known()
  again('crm.export')
  again('crm.export')
  rig.restart()
  assert.equal(again('crm.export'), 4)
})

test('what comes back in another hour is on its way to a habit', () => {
  const { rig } = known()
  const at = START + 40 * DAY
  const values = [0, 1, 30, 61, 62].map((minutes) =>
    feature(rig.act({ at: at + minutes * MINUTE, session: 'hours', action: 'crm.export' })!, 'action_again'),
  )
  assert.deepEqual(values, [0, 2, 4, 0, 2])
})
