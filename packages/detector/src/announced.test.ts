import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Change, CHANGE_LIMITS, SCORED_FLAGS } from '@plumbline/schemas'
import { recompute } from './replay/recompute.ts'
import { type Act, DAY, feature, HOUR, MASTER_KEY, MINUTE, Rig, type Row, START, strictRelease, work } from './rig.testkit.ts'
import { DECLARED_GROUP } from './state/layout.ts'

const FLEET = ['bot-1', 'bot-2', 'bot-3', 'bot-4']
const OLD = { model: 'alpha-1', tools: 'aaaa' }
const HOME = { ip: '192.0.2.7', country: 'DE' }
const { announced, excepted, learned, withheld } = SCORED_FLAGS

const changeOf = (at: number, change: Partial<Change> = {}): Change => ({
  id: 'deploy-1',
  what: { model: 'alpha-2' },
  scope: { all: true },
  from: at,
  until: at + DAY,
  reason: 'New model for the support agents',
  by: 'jane',
  ...change,
})
const announce = (rig: Rig, change: Change): void => rig.control('change', { change }, `change:${change.id}`)

/** A fleet at work for days, under a release that takes little as usual. */
const fleet = (version: Act['version'] = OLD): { readonly rig: Rig; readonly at: number } => {
  const rig = new Rig({ config: { tailFloor: 0.001 } })
  for (const who of FLEET) work(rig, 12, 30, { who, source: HOME, ...(version === undefined ? {} : { version }) })
  rig.strict(true)
  return { rig, at: START + 12 * DAY }
}

/** What the deploy brings: other tools, faster, in the same kinds of data. */
const deployed = (at: number, who: string, i: number, version: Act['version']): Act => ({
  at,
  who,
  session: `after-${who}`,
  action: ['crm.summarise', 'crm.lookup_v2', 'plan.next'][i % 3]!,
  class: i % 3 === 2 ? 'planning' : 'crm',
  bytesIn: 2000,
  source: HOME,
  ...(version === undefined ? {} : { version }),
})
const roll = (rig: Rig, at: number, version: Act['version'], rounds = 12): Row[] => {
  const rows: Row[] = []
  for (let i = 0; i < rounds; i++) for (const who of FLEET) rows.push(rig.act(deployed(at + i * 3 * MINUTE, who, i, version))!)
  return rows
}
const ALPHA_2 = { ...OLD, model: 'alpha-2' }

test('an announced deploy of a fleet alerts nobody and what it brings is learned in full, where the same deploy unannounced does alert', () => {
  const silent = fleet()
  roll(silent.rig, silent.at, ALPHA_2)
  assert.ok(silent.rig.alerts.length > 0, 'without an announcement it is news')

  const { rig, at } = fleet()
  announce(rig, changeOf(at))
  const rows = roll(rig, at, ALPHA_2)
  assert.deepEqual(rig.alerts, [])
  const quiet = rows.filter((r) => (r.flags & excepted) !== 0)
  assert.ok(quiet.length > 0 && rig.detector.counters.quiet.announced === quiet.length)
  assert.ok(quiet.every((r) => (r.flags & (announced | learned | withheld)) === (announced | learned)))
  // When the window is over the new behaviour is known, and judged as any other.
  const last = (r: Rig): Row => roll(r, at + 2 * DAY, ALPHA_2, 3).at(-1)!
  const [known, unknown] = [last(rig), last(silent.rig)]
  assert.equal(known.flags & announced, 0)
  for (const name of ['action_own', 'class_own'])
    assert.ok(feature(known, name) < feature(unknown, name) - 1, `${name}: ${feature(known, name)} against ${feature(unknown, name)}`)
})

test('of what is expected more is learned than of what is merely odd', () => {
  const known = (withChange: boolean): number => {
    const { rig, at } = fleet()
    if (withChange) announce(rig, changeOf(at))
    const before = rig.learned('bot-1')
    roll(rig, at, ALPHA_2)
    return rig.learned('bot-1') - before
  }
  assert.ok(known(true) > 2 * known(false), `${known(true)} against ${known(false)}`)
})

test('a deploy of agents that tell no version is explained as well', () => {
  const { rig, at } = fleet(undefined)
  announce(rig, changeOf(at, { what: { tools: '*' } }))
  roll(rig, at, undefined)
  assert.deepEqual(rig.alerts, [])
})

test('an attack hidden in the window is raised, and says that a change is under way', () => {
  const attacks: Readonly<Record<string, Partial<Act>>> = {
    'sensitive data never touched': { action: 'hr.read', class: 'hr', sensitivity: 3 },
    'data to a place outside that a tool result named': {
      action: 'files.upload',
      class: 'files',
      destination: 'drop.example.net',
      destinationProvenance: 'tool',
      bytesOut: 4e7,
    },
    'from elsewhere': { source: { ip: '203.0.113.9', country: 'BR' } },
  }
  for (const [name, attack] of Object.entries(attacks)) {
    const { rig, at } = fleet()
    announce(rig, changeOf(at))
    roll(rig, at, ALPHA_2, 4)
    for (let i = 0; i < 4; i++) rig.act({ at: at + HOUR + i * MINUTE, who: 'bot-1', session: 'evil', version: ALPHA_2, ...attack })
    assert.ok(rig.alerts.length > 0, name)
    for (const alert of rig.alerts) {
      assert.equal(alert.facts.identity.id, 'bot-1')
      assert.deepEqual(alert.facts.announced, {
        id: 'deploy-1',
        what: { model: 'alpha-2' },
        parts: ['model'],
        reason: 'New model for the support agents',
        by: 'jane',
      })
      assert.match(alert.text.why, /Announced change deploy-1 \(model alpha-2\) by jane is under way/)
    }
  }
})

test('a rule of the policy speaks in the window as ever', () => {
  const { rig, at } = fleet()
  rig.policy({ rules: [{ id: 'no-plans', identities: '*', effect: 'deny', classes: ['planning'] }] })
  announce(rig, changeOf(at))
  roll(rig, at, ALPHA_2)
  assert.ok(rig.alerts.length > 0 && rig.alerts.every((a) => a.family === 'policy'))
})

test('where changes are announced, one that nobody announced is a finding, once, and names the part', () => {
  const { rig, at } = fleet()
  announce(rig, changeOf(at - 5 * DAY, { until: at - 4 * DAY }))
  const pulled = { ...OLD, tools: 'bbbb' }
  for (let i = 0; i < 6; i++) rig.act({ at: at + i * 5 * MINUTE, who: 'bot-1', session: 's', version: pulled })
  assert.equal(rig.alerts.length, 1)
  const [alert] = rig.alerts
  assert.deepEqual([alert!.family, alert!.severity, alert!.critical], ['version_change', 'high', true])
  assert.deepEqual(alert!.facts.change?.unannounced, ['tools'])
  assert.match(alert!.text.headline, /changed its tools \(now bbbb\) without an announcement/)
  assert.ok(alert!.techniques.some(({ uid }) => uid === 'AML.T0110'))
  assert.match(alert!.counterfactual ?? '', /had this change been announced/)
  // What comes after is judged and learned as ever.
  assert.ok((rig.rows.at(-1)!.flags & learned) !== 0)
})

test('nobody is told of unannounced changes where none was ever announced, and none of a change before the first announcement', () => {
  const { rig, at } = fleet()
  rig.act({ at, who: 'bot-1', version: { ...OLD, tools: 'bbbb' } })
  rig.act({ at: at + DAY, who: 'bot-2', version: OLD })
  announce(rig, changeOf(at + 2 * DAY))
  rig.act({ at: at + DAY - 1, who: 'bot-3', version: { ...OLD, tools: 'bbbb' } })
  assert.deepEqual(rig.alerts, [])
})

test('an announced change is for the part and the value that it names: tools exchanged meanwhile are a finding', () => {
  const raised = (
    version: NonNullable<Act['version']>,
    what: Change['what'] = { model: 'alpha-2' },
  ): readonly (readonly string[] | undefined)[] => {
    const { rig, at } = fleet()
    announce(rig, changeOf(at, { what }))
    rig.act({ at: at + HOUR, who: 'bot-1', version })
    return rig.alerts.map((a) => a.facts.change?.unannounced)
  }
  assert.deepEqual(raised(ALPHA_2), [])
  assert.deepEqual(raised({ model: 'alpha-2', tools: 'bbbb' }), [['tools']])
  assert.deepEqual(raised({ ...OLD, model: 'alpha-3' }), [['model']])
  assert.deepEqual(raised({ ...OLD, model: 'alpha-3' }, { model: 'alpha-*' }), [])
  // A part told for the first time is no change.
  assert.deepEqual(raised({ ...OLD, prompt: 'pppp' }), [])
})

test('the window is by event time, and the scope by identity or by peer group; people are in no scope', () => {
  const quiet = (change: Partial<Change>, act: Partial<Act> = {}, at = HOUR): boolean => {
    const { rig, at: now } = fleet()
    announce(rig, changeOf(now, { what: { release: '*' }, ...change }))
    return (rig.act({ ...deployed(now + at, 'bot-1', 2, undefined), session: 'x', ...act })!.flags & announced) !== 0
  }
  assert.ok(quiet({}))
  assert.ok(!quiet({}, {}, DAY), 'until is exclusive')
  assert.ok(!quiet({ from: START + 13 * DAY, until: START + 14 * DAY }), 'not yet')
  assert.ok(quiet({ scope: { identities: ['nobody', 'BOT-*'] } }))
  assert.ok(!quiet({ scope: { identities: ['bot-2'] } }))
  assert.ok(!quiet({ scope: { peerGroups: ['support'] } }))
  assert.ok(quiet({ scope: { peerGroups: ['supp*'] } }, { peerGroup: 'support' }))
  assert.ok(!quiet({}, { kind: 'user' }))
})

test('withdrawn, restarted, repeated: an announcement is what its records say', () => {
  const { rig, at } = fleet()
  announce(rig, changeOf(at))
  rig.restart()
  announce(rig, changeOf(at, { until: at + 1 }))
  assert.ok((rig.act({ ...deployed(at + HOUR, 'bot-1', 2, ALPHA_2), session: 'x' })!.flags & announced) !== 0, 'the second had no effect')
  rig.control('change_withdrawn', { changeId: 'deploy-1' })
  rig.restart()
  assert.equal(rig.act({ ...deployed(at + HOUR, 'bot-2', 2, ALPHA_2), session: 'x' })!.flags & announced, 0)
})

test('so many open changes, and no more: one that is over makes room', () => {
  const rig = new Rig()
  rig.act({ at: START })
  for (let i = 0; i < CHANGE_LIMITS.open; i++) announce(rig, changeOf(START, { id: `c-${i}`, until: START + HOUR }))
  assert.equal(rig.deadLetters.length, 0)
  announce(rig, changeOf(START, { id: 'one-more' }))
  assert.deepEqual(
    rig.deadLetters.map((d) => [d.code, d.field]),
    [['CHANGES_FULL', 'change']],
  )
  rig.act({ at: START + 2 * HOUR })
  for (let i = 0; i < 3 * CHANGE_LIMITS.open; i++) {
    rig.act({ at: START + (3 + i) * HOUR })
    announce(rig, changeOf(START + (3 + i) * HOUR, { id: `d-${i}`, until: START + (3.5 + i) * HOUR }))
  }
  assert.equal(rig.deadLetters.length, 1)
  const kept = rig.detector.tenantsOf(0).get('default')!.changes.saved()!.kept
  assert.ok(kept.length <= 3 * CHANGE_LIMITS.open, `${kept.length}`)
  assert.equal(kept.at(-1)!.id, `d-${3 * CHANGE_LIMITS.open - 1}`)
})

test('alerts in a window and alerts of an unannounced change come again from their capsules alone, words and all', () => {
  const { rig, at } = fleet()
  announce(rig, changeOf(at))
  rig.act({ at: at + HOUR, who: 'bot-1', session: 'evil', version: ALPHA_2, action: 'hr.read', class: 'hr', sensitivity: 3 })
  rig.act({ at: at + HOUR, who: 'bot-2', version: { ...OLD, tools: 'bbbb' } })
  assert.deepEqual(
    rig.alerts.map((a) => a.family),
    ['sensitive_access', 'version_change'],
  )
  for (const [i, capsule] of rig.capsules.entries()) {
    const alert = rig.alerts[i]!
    const again = recompute(capsule, {
      tenant: 'default',
      identity: alert.facts.identity.id,
      release: rig.artifact(),
      policy: undefined,
      config: rig.config,
      masterKey: MASTER_KEY,
    })
    assert.ok(again.identical)
    assert.deepEqual(again.alert?.text, alert.text)
    assert.deepEqual(again.alert?.facts.change, alert.facts.change)
  }
})

test('what no peer does is expected of an announced change where the agent is at home, and told where it reaches confidential data or acts from elsewhere', () => {
  const families = (change: Partial<Act>, withChange = true): readonly string[] => {
    const rig = new Rig()
    for (const who of FLEET) work(rig, 12, 30, { who, peerGroup: 'support', source: HOME })
    const support = rig.view('bot-1').u32(DECLARED_GROUP)
    rig.release(strictRelease(rig.config, false, { peerGroups: [{ name: 'support', members: 8 }] }, { declared: support, members: 8 }))
    const at = START + 12 * DAY
    if (withChange) announce(rig, changeOf(at, { what: { tools: '*' } }))
    for (let i = 0; i < 8; i++)
      rig.act({
        at: at + i * MINUTE,
        who: 'bot-1',
        peerGroup: 'support',
        session: 'new-tools',
        action: 'plan.next',
        class: 'planning',
        source: HOME,
        ...change,
      })
    return rig.alerts.map((a) => a.family)
  }
  assert.deepEqual(families({}), [])
  assert.ok(families({}, false).includes('new_behaviour'))
  assert.ok(families({ class: 'ledger', sensitivity: 2 }).length > 0)
  assert.ok(families({ source: { ip: '203.0.113.9', country: 'BR' } }).length > 0)
})

test('changes that overlap cover together what each of them names, and the last one is told', () => {
  const { rig, at } = fleet()
  announce(rig, changeOf(at))
  announce(rig, changeOf(at, { id: 'deploy-2', what: { tools: 'bbbb' }, scope: { identities: ['bot-1'] } }))
  rig.act({ at: at + HOUR, who: 'bot-1', version: { model: 'alpha-2', tools: 'bbbb' } })
  rig.act({ at: at + HOUR, who: 'bot-2', version: { model: 'alpha-2', tools: 'bbbb' } })
  assert.deepEqual(
    rig.alerts.map((a) => [a.facts.identity.id, a.facts.change?.unannounced]),
    [['bot-2', ['tools']]],
    'bot-2 is in the scope of the first one alone',
  )
  rig.act({
    at: at + HOUR + MINUTE,
    who: 'bot-1',
    version: { model: 'alpha-2', tools: 'bbbb' },
    action: 'hr.read',
    class: 'hr',
    sensitivity: 3,
  })
  const told = rig.alerts.at(-1)!
  assert.deepEqual([told.facts.announced?.id, told.facts.announced?.parts], ['deploy-2', ['model', 'tools']])
  assert.deepEqual(
    rig.capsules.at(-1)!.changes?.map(({ id }) => id),
    ['deploy-1', 'deploy-2'],
  )
})
