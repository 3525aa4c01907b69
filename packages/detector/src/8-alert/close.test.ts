import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Alert } from '@plumbline/schemas'
import { DAY, HOUR, MINUTE, Rig, SECOND, START } from '../rig.testkit.ts'
import { MOST_OPEN } from '../state/open-alerts.ts'

/** A rig in which everything of class `bad` alerts by policy, whatever its score. */
const denying = (): Rig => {
  const rig = new Rig()
  rig.policy({ rules: [{ id: 'r1', identities: '*', effect: 'deny', classes: ['bad*'] }] })
  return rig
}
const bad = (rig: Rig, at: number, who = 'bot', action = 'do.it'): void => void rig.act({ at, who, class: 'bad', action })
const told = (rig: Rig) => rig.alerts.map((a) => [a.activity, a.revision, a.count, a.suppressed])

test("a group is closed by its identity's next record a day after its last event; what was not told rides on the closing", () => {
  const rig = denying()
  for (let i = 0; i < 7; i++) bad(rig, START + i * MINUTE)
  const last = START + 6 * MINUTE
  rig.act({ at: last + DAY })
  assert.equal(rig.alerts.length, 3, 'until a day has passed it may go on')
  rig.act({ at: last + DAY + 10 * SECOND, who: 'other' })
  assert.equal(rig.alerts.length, 3, 'the record of another closes nothing')
  rig.act({ at: last + DAY + 20 * SECOND })
  assert.deepEqual(told(rig), [
    ['create', 1, 1, 0],
    ['update', 2, 2, 0],
    ['update', 3, 4, 1],
    ['close', 4, 7, 3],
  ])
  const [, , update, close] = rig.alerts
  assert.deepEqual(
    { ...close, activity: '', revision: 0, count: 0, suppressed: 0, lastSeen: 0, text: null, evidence: null },
    { ...update, activity: '', revision: 0, count: 0, suppressed: 0, lastSeen: 0, text: null, evidence: null },
    'it says all that the last one said',
  )
  assert.deepEqual(
    close!.evidence.map((p) => p.offset),
    [1, 2, 3, 4, 5, 6, 7],
    'and names the events that joined since',
  )
  assert.equal(close!.lastSeen, last)
  assert.match(close!.text.certainty, /3 more events/)
  assert.deepEqual(Alert.parse(JSON.parse(JSON.stringify(close))), JSON.parse(JSON.stringify(close)))
  assert.equal(rig.capsules.length, 3, 'nothing new to replay')
  rig.act({ at: last + 3 * DAY })
  assert.equal(rig.alerts.length, 4, 'once')
})

test('after the closing the same thing is a new group with an id of its own', () => {
  const rig = denying()
  bad(rig, START)
  bad(rig, START + 2 * DAY)
  assert.deepEqual(
    rig.alerts.map((a) => a.activity),
    ['create', 'close', 'create'],
  )
  const [first, close, second] = rig.alerts
  assert.equal(close!.id, first!.id)
  assert.notEqual(second!.id, first!.id)
  assert.equal(second!.revision, 1)
})

test('a group that gives way to a fifth of its identity is closed by it', () => {
  const rig = denying()
  for (let kind = 0; kind < 5; kind++) bad(rig, START + kind * 2 * HOUR, 'bot', `do.${kind}`)
  assert.deepEqual(
    rig.alerts.map((a) => a.activity),
    ['create', 'create', 'create', 'create', 'close', 'create'],
  )
  assert.equal(rig.alerts[4]!.id, rig.alerts[0]!.id)
})

test('one open group more than a tenant may have in a shard closes the one silent for longest', () => {
  const rig = denying()
  for (let i = 0; i < MOST_OPEN; i++) bad(rig, START + i * SECOND, `bot-${i}`)
  bad(rig, START + HOUR, 'bot-0')
  assert.ok(rig.alerts.every((a) => a.activity !== 'close'))
  bad(rig, START + HOUR, 'one-more')
  const closed = rig.alerts.filter((a) => a.activity === 'close')
  assert.deepEqual(
    closed.map((a) => [a.facts.identity.id, a.revision]),
    [['bot-1', 2]],
  )
  bad(rig, START + 2 * HOUR, 'bot-1')
  assert.deepEqual([rig.alerts.at(-1)!.activity, rig.alerts.at(-1)!.revision], ['create', 1])
  assert.notEqual(rig.alerts.at(-1)!.id, closed[0]!.id)
  const keys = rig.alerts.map((a) => `${a.id}/${a.revision}`)
  assert.equal(new Set(keys).size, keys.length, 'INV-3: no revision is written twice')
})

test('open groups survive a restart, in the places they were in', () => {
  const run = (restart: boolean): unknown => {
    const rig = denying()
    for (let i = 0; i < 3; i++) bad(rig, START + i * MINUTE)
    if (restart) rig.restart()
    rig.act({ at: START + 2 * DAY })
    if (restart) rig.restart()
    bad(rig, START + 2 * DAY + MINUTE)
    return rig.alerts
  }
  assert.deepEqual(run(true), run(false))
})

test('erasure takes open groups along: nothing more is said of the identity', () => {
  const rig = denying()
  bad(rig, START)
  rig.control('erase', { identity: 'bot' })
  rig.restart()
  rig.act({ at: START + 2 * DAY })
  assert.equal(rig.alerts.length, 1)
})
