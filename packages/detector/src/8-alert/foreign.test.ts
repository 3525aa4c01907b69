import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Act, DAY, HOUR, MINUTE, Rig, START, strictRelease, work } from '../rig.testkit.ts'
import { DECLARED_GROUP } from '../state/layout.ts'

/** Two weeks of ordinary work in a declared group whose other members do none of what follows; only rules alert. */
const known = (members = 20, eventsPerDay = 0): Rig => {
  const rig = new Rig()
  work(rig, 14, 30, { peerGroup: 'team' })
  const declared = rig.view().u32(DECLARED_GROUP)
  const header = {
    peerGroups: [{ name: 'team', members }],
    thresholds: { tailFloorLog10: 13, alertTailLog10: 13 },
    metrics: { eventsPerDay },
  }
  rig.release(strictRelease(rig.config, false, header, { declared, members }))
  return rig
}
const AT = START + 15 * DAY
const foreign = (rig: Rig, acts: number, how: Partial<Act> = {}): string[] => {
  for (let i = 0; i < acts; i++)
    rig.act({
      at: AT + i * MINUTE,
      session: 'odd',
      peerGroup: 'team',
      action: 'ledger.post',
      class: 'ledger',
      ...how,
      ...(how.destination === undefined ? {} : { destination: `${i}.${how.destination}` }),
    })
  return [...new Set(rig.alerts.map((a) => a.family))]
}

test('an agent that goes on in a session with what no peer does is told at its third act', () => {
  assert.deepEqual(foreign(known(), 2), [])
  assert.deepEqual(foreign(known(), 3), ['new_behaviour'])
  assert.deepEqual(foreign(known(), 3, { outcome: 'denied' }), ['probing'])
  assert.deepEqual(foreign(known(), 3, { sensitivity: 3 }), ['sensitive_access'])
  assert.deepEqual(foreign(known(), 3, { action: 'mail.send', class: 'mail', destination: 'far.example', bytesOut: 1000 }), [
    'new_destination',
  ])
})

test('few peers can tell nothing, and what is its own habit is not foreign', () => {
  assert.deepEqual(foreign(known(4), 8), [])
  assert.deepEqual(foreign(known(), 8, { action: 'crm.read', class: 'crm' }), [])
})

test('in a large company people take on work of others, and restricted data with it; more of that is told', () => {
  const people = { kind: 'user' } as const
  assert.deepEqual(foreign(known(20, 200_000), 8, people), [])
  assert.deepEqual(foreign(known(20, 200_000), 3), ['new_behaviour'], 'agents do not')
  assert.deepEqual(foreign(known(20, 200_000), 7, { ...people, sensitivity: 3 }), [])
  assert.deepEqual(foreign(known(20, 200_000), 8, { ...people, sensitivity: 3 }), ['sensitive_access'])
  assert.deepEqual(foreign(known(20, 200_000), 5, { sensitivity: 3 }), ['new_behaviour', 'sensitive_access'], 'agents have no such days')
})

test('new work of a person is one kind of news, and becomes its own when it goes on for a week', () => {
  const rig = known()
  const acts = { kind: 'user', action: 'mail.send', class: 'mail' } as const
  assert.deepEqual(foreign(rig, 8, { ...acts, destination: 'far.example' }), ['new_behaviour'])
  for (let day = 1; day < 10; day++)
    for (let i = 0; i < 8; i++) rig.act({ at: AT + day * DAY - HOUR + i * MINUTE, session: `d${day}`, peerGroup: 'team', ...acts })
  assert.equal(
    rig.alerts.some((a) => a.adopting === true),
    true,
  )
  const last = rig.alerts.at(-1)!
  assert.ok(last.lastSeen < AT + 9 * DAY, 'it is told no longer')
})

test('what a new version brings is what the change brought, unless it is sensitive', () => {
  assert.deepEqual(foreign(known(), 6, { version: '2' }), ['new_behaviour'], 'a first version is no change')
  const rig = known()
  rig.act({ at: AT - DAY, version: '1', peerGroup: 'team' })
  assert.deepEqual(foreign(rig, 6, { version: '2' }), [])
  assert.deepEqual(foreign(rig, 3, { version: '2', sensitivity: 3 }), ['sensitive_access'])
})
