import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type PolicyInput, SCORED_FLAGS } from '@plumbline/schemas'
import { type Act, DAY, feature, HOUR, MINUTE, Rig, START, work } from '../rig.testkit.ts'

// Policies in a running detector: what each part of one changes.

const under = (policy: PolicyInput, config = { tailFloor: 0 }): Rig => {
  const rig = new Rig({ config })
  rig.policy(policy)
  return rig
}
const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

const ZONES: PolicyInput = {
  identities: [
    { match: 'support-*', segment: 'dmz', owner: 'CX Platform' },
    { match: 'ops-*', segment: 'office' },
  ],
  resources: [
    { match: { action: 'ledger.*' }, segment: 'core' },
    { match: { class: 'wiki' }, segment: 'dmz' },
  ],
  segments: [{ from: 'office', to: 'core' }],
}
const ledger: Omit<Act, 'at'> = { action: 'ledger.read', class: 'finance' }

test('a way that the policy does not list alerts, in words that name it; a listed one, its own segment and an unknown one do not', () => {
  const rig = under(ZONES)
  rig.act({ at: START, who: 'ops-1', ...ledger })
  rig.act({ at: START, who: 'support-1', action: 'wiki.read', class: 'wiki' })
  rig.act({ at: START, who: 'support-1', action: 'crm.read' })
  rig.act({ at: START, who: 'stranger', ...ledger })
  assert.equal(rig.alerts.length, 0)
  rig.act({ at: START + HOUR, who: 'support-1', ...ledger })
  const [alert] = rig.alerts
  assert.equal(alert?.family, 'policy')
  assert.ok(alert.critical)
  assert.deepEqual([alert.facts.reasons[0]?.previous, alert.facts.reasons[0]?.object], ['dmz', 'core'])
  assert.match(alert.text.headline, /^support-1 \(agent, owner CX Platform\) read .* from segment dmz into segment core, which the policy/)
  assert.match(alert.counterfactual ?? '', /had the policy listed the way from segment dmz into segment core/)
})

test('of a segment the sender’s own word goes before the policy’s', () => {
  const rig = under(ZONES)
  rig.act({ at: START, who: 'support-1', ...ledger, segment: 'office' })
  assert.equal(rig.alerts.length, 0)
  rig.act({ at: START, who: 'ops-1', ...ledger, segment: 'guest' })
  assert.deepEqual(
    rig.alerts.map((a) => a.facts.reasons[0]?.previous),
    ['guest'],
  )
})

test('a verdict of safe on a forbidden way speaks of that way only', () => {
  const rig = under({ ...ZONES, resources: [...ZONES.resources!, { match: { class: 'vault' }, segment: 'safe' }] })
  rig.act({ at: START, who: 'support-1', ...ledger })
  const [alert] = rig.alerts
  rig.control('verdict', {
    alertId: alert!.id,
    identity: 'support-1',
    verdict: 'safe',
    groupKey: alert!.groupKey,
    events: [],
    author: 'me',
  })
  rig.act({ at: START + HOUR, who: 'support-1', action: 'ledger.list', class: 'finance', session: 'b' })
  assert.equal(rig.alerts.length, 1)
  rig.act({ at: START + 2 * HOUR, who: 'support-1', action: 'ledger.list', class: 'vault', session: 'c' })
  rig.act({ at: START + 2 * HOUR, who: 'support-1', action: 'read', class: 'vault', session: 'd' })
  assert.deepEqual(
    rig.alerts.slice(1).map((a) => a.facts.reasons[0]?.object),
    ['safe'],
  )
})

test('segments of the policy make the pair that is learned, the same as told ones', () => {
  const { identities, resources } = ZONES
  const rig = under({ identities, resources })
  const told = new Rig({ config: { tailFloor: 0 } })
  for (let i = 0; i < 40; i++) {
    const act = { at: START + i * MINUTE, who: 'support-1', action: 'wiki.read', class: 'wiki' }
    const by = rig.act(act)!
    // Both named by the sender: the rig's own act knows no segment of a resource.
    const raw = { id: `e${told.log.length}`, time: act.at, identity: { id: 'support-1', kind: 'agent' }, action: 'wiki.read' }
    const itself = told.act(act, { raw: JSON.stringify({ ...raw, resource: { class: 'wiki', segment: 'dmz' }, segment: 'dmz' }) })!
    assert.equal(feature(by, 'segment_own'), feature(itself, 'segment_own'))
  }
  const usual = feature(rig.rows.at(-1)!, 'segment_own')
  const crossing = rig.act({ at: START + HOUR, who: 'support-1', ...ledger })!
  assert.ok(feature(crossing, 'segment_own') > usual + 3)
})

test('exceptions, words and facts know a class by the name that the policy gives it', () => {
  const policy = (classes: string[]): PolicyInput => ({
    resources: [{ match: { class: 'tbl_*' }, class: 'hr' }],
    rules: [{ id: 'no-hr', identities: '*', effect: 'deny', classes: ['hr'] }],
    exceptions: [{ id: 'x', identities: '*', classes, reason: 'r', author: 'a', expires: '2027-01-01T00:00:00Z' }],
  })
  const byGiven = under(policy(['hr']))
  byGiven.act({ at: START, class: 'tbl_77', action: 'db.select' })
  assert.deepEqual([byGiven.alerts.length, byGiven.detector.counters.quiet.exception], [0, 1])
  const byTold = under(policy(['tbl_*']))
  byTold.act({ at: START, class: 'tbl_77', action: 'db.select' })
  assert.equal(byTold.alerts[0]?.facts.resource.class, 'hr')
  assert.match(byTold.alerts[0].text.headline, /HR/)
  assert.doesNotMatch(JSON.stringify(byTold.alerts[0].text), /tbl_77/)
})

test('a calendar keeps an unusual pace quiet on its days and for its identities, and what it keeps quiet is not learned', () => {
  const burst = (policy: PolicyInput): Rig => {
    const rig = under(policy)
    for (let i = 0; i < 6 * 96; i++) rig.act({ at: START + i * 15 * MINUTE })
    for (let i = 0; i < 120; i++) rig.act({ at: START + 6 * DAY + i * 100 })
    return rig
  }
  const days = [day(START + 6 * DAY)]
  const planned = burst({ calendars: [{ name: 'month end', identities: 'b*', days }] })
  assert.deepEqual(planned.alerts, [])
  assert.ok(planned.detector.counters.quiet.calendar > 20)
  const { excepted, withheld, learned } = SCORED_FLAGS
  assert.equal(planned.rows.at(-1)!.flags & (excepted | withheld | learned), excepted | withheld)
  for (const other of [{ days: [day(START + 5 * DAY)] }, { days, identities: 'c*' }])
    assert.deepEqual([...new Set(burst({ calendars: [{ name: 'x', ...other }] }).alerts.map((a) => a.family))], ['rate'])
})

test('a calendar excuses the amount, not a new place outside, nor anything that is not about when or how much', () => {
  const days = [day(START + 12 * DAY)]
  const sent = (change: Partial<Act>, known: string): string[] => {
    const rig = under({
      calendars: [{ name: 'month end', days }],
      rules: [{ id: 'r', identities: '*', effect: 'deny', classes: ['hr'] }],
    })
    const at = work(rig, 12, 30, { bytesOut: 3000, destination: 'partner.example.com' })
    // Once before, in the middle of all that: known, though hardly used.
    rig.act({ at: at - HOUR, action: 'files.upload', class: 'files', destination: known, bytesOut: 3000 })
    rig.strict()
    rig.act({ at, action: 'files.upload', class: 'files', destination: 'bank.example.net', bytesOut: 9e9, ...change })
    return rig.alerts.map((a) => a.family)
  }
  assert.deepEqual(sent({}, 'bank.example.net'), [])
  assert.deepEqual(sent({}, 'another.example.net'), ['volume'])
  assert.deepEqual(sent({ class: 'hr' }, 'bank.example.net'), ['policy'])
})

test('a policy is in force from its position on, and a tenant’s own', () => {
  const rig = new Rig({ config: { tailFloor: 0 } })
  const deny: PolicyInput = { rules: [{ id: 'r', identities: '*', effect: 'deny', classes: ['crm'] }] }
  rig.act({ at: START, session: 'a' })
  rig.policy(deny)
  rig.act({ at: START + MINUTE, session: 'b' })
  rig.act({ at: START + MINUTE, session: 'b', tenant: 'other' })
  rig.restart()
  rig.act({ at: START + 2 * DAY, session: 'c' })
  rig.policy({})
  rig.act({ at: START + 4 * DAY, session: 'd' })
  assert.deepEqual(
    rig.rows.map((r) => (r.flags & SCORED_FLAGS.alerted) !== 0),
    [false, true, false, true, false],
  )
})
