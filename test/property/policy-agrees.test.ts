import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PolicyCase, testPolicy } from '@plumbline/adapters/policy'
import { Policy, type PolicyInput, SCORED_FLAGS } from '@plumbline/schemas'
import fc from 'fast-check'
import { DAY, feature, HOUR, Rig, type Row, START } from '../../packages/detector/src/rig.testkit.ts'

// What `plumbline policy test` answers is what the detector does: the same cases through both.

const EXPECTABLE = Object.keys(PolicyCase.shape.expect.shape) as (keyof PolicyCase['expect'])[]

type Answers = Readonly<Record<keyof PolicyCase['expect'], unknown>>

/** All that `policy test` says of cases: told to expect what cannot be, it names what it got instead. */
const answersOf = (policy: Policy, cases: readonly PolicyCase[]): readonly Answers[] => {
  const expect = Object.fromEntries(EXPECTABLE.map((field) => [field, {}])) as PolicyCase['expect']
  const results = testPolicy(
    policy,
    cases.map((c) => ({ ...c, expect })),
  )
  return results.map(({ differences }) => {
    assert.deepEqual(differences.map((d) => d.field).sort(), EXPECTABLE.toSorted())
    return Object.fromEntries(differences.map((d) => [d.field, d.got])) as Answers
  })
}

const actOf = (rig: Rig, c: PolicyCase, at: number): Row =>
  rig.act(
    { at, who: c.identity, session: `s${at}` },
    {
      arrival: at,
      raw: JSON.stringify({
        id: `e${at}`,
        time: at,
        identity: { id: c.identity, kind: 'agent' },
        session: `s${at}`,
        action: c.action,
        resource: { class: c.class, id: c.resource, segment: c.to },
        segment: c.from,
        destination: c.destination,
      }),
    },
  )!

/** Cases one after the other, each in a session and on days of its own, so that each alert stands alone. */
const compare = (policy: Policy, cases: readonly PolicyCase[]): { readonly denied: number; readonly quiet: number } => {
  const rig = new Rig({ config: { tailFloor: 0 } })
  rig.policy(policy)
  let [denied, quiet] = [0, 0]
  // Twice: the second time the detector answers from what it remembers.
  const all = [...cases, ...cases].map((c, i) => {
    const at = START + i * 2 * DAY + (i % 24) * HOUR
    return { at, told: { ...c, time: new Date(at).toISOString(), family: 'policy' as const } }
  })
  const answers = answersOf(
    policy,
    all.map(({ told }) => told),
  )
  for (const [i, { at, told }] of all.entries()) {
    const says = answers[i]!
    const before = rig.alerts.length
    const row = actOf(rig, told, at)
    const { alerted, excepted } = SCORED_FLAGS
    const name = JSON.stringify(told)
    const is = (what: string, actual: unknown, expected: unknown): void => assert.deepEqual(actual, expected, `${what} of ${name}`)
    is('sensitivity', Math.round(feature(row, 'class_sensitivity') * 3), says.sensitivity)
    is('external', feature(row, 'external_write') === 1, says.external)
    is('untrusted', feature(row, 'session_flow') === 1, says.untrusted)
    is('pair of segments', feature(row, 'segment_own') > 0, says.segment !== null)
    is('denial', (row.flags & (alerted | excepted)) !== 0, says.rule === 'deny' || says.segments === 'forbidden')
    if ((row.flags & excepted) !== 0) quiet++
    if ((row.flags & (alerted | excepted)) === 0) continue
    denied++
    is('quiet', (row.flags & excepted) !== 0, says.exception !== null || says.maintenance !== null)
    if ((row.flags & alerted) === 0) continue
    const { facts } = rig.alerts.slice(before).find((a) => a.activity === 'create')!
    const [reason] = facts.reasons
    is('class', facts.resource.class, says.class)
    is('owner', facts.identity.owner ?? null, says.owner)
    is('criticality', facts.identity.criticality, says.criticality)
    if (says.rule === 'deny') is('rule', reason?.trigger !== undefined && reason.previous === undefined, true)
    else is('way', [reason?.previous, reason?.object], [says.home, says.segment])
  }
  return { denied, quiet }
}

const some = <T>(...values: readonly T[]) => fc.constantFrom(...values)
const perhaps = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
const identity = some('support-1', 'support-2', 'ops-1', 'batch')
const who = some('*', 'support-*', 'ops-1', 'batch', '*-1')
const class_ = some('crm', 'hr', 'tool')
const classes = some('*', 'crm', 'h*', 'ledger', 'people', 'wiki')
const segment = some('dmz', 'core', 'office', 'Core')
const action = some('crm.read', 'mail.send', 'web.fetch')
const resource = some('people/1', 'people/2', 'order/7')
const destination = some('drop.example.net', 'own.acme.example', '/srv/x')
const whenever = fc.integer({ min: 0, max: 40 }).map((days) => new Date(START + days * DAY).toISOString())

const policies = fc.record({
  resources: fc.array(
    fc.record(
      {
        match: fc.oneof(
          fc.record({ action: some('*.read', 'mail.*', '*') }),
          fc.record({ resource: some('people*', '*7') }),
          fc.record({ destination: some('*.acme.example', '*net') }),
          fc.record({ class: classes }),
          fc.record({ action: some('*.read', '*'), class: classes }),
        ),
        class: perhaps(some('people', 'hr', 'ledger')),
        sensitivity: perhaps(fc.integer({ min: 0, max: 3 })),
        segment: perhaps(segment),
        untrusted: perhaps(fc.boolean()),
        external: perhaps(fc.boolean()),
      },
      { requiredKeys: ['match'] },
    ),
    { minLength: 2, maxLength: 5 },
  ),
  identities: fc.array(fc.record({ match: who, owner: perhaps(some('a', 'b')), segment: perhaps(segment), criticality: some(1, 2, 3) }), {
    minLength: 1,
    maxLength: 4,
  }),
  rules: fc
    .array(
      fc.record({
        identities: who,
        effect: some('allow', 'deny'),
        action: some('read', 'write', 'any'),
        classes: fc.array(classes, { minLength: 1, maxLength: 2 }),
      }),
      { minLength: 1, maxLength: 3 },
    )
    .map((rules) => rules.map((rule, i) => ({ id: `r${i}`, ...rule }))),
  segments: fc.array(fc.record({ from: some('dmz', 'o*', '*'), to: some('core', 'office', 'd*') }), { maxLength: 2 }),
  exceptions: fc
    .array(
      fc.record({
        identities: who,
        families: perhaps(fc.array(some('policy', 'rate'), { minLength: 1, maxLength: 1 })),
        classes: perhaps(fc.array(classes, { minLength: 1, maxLength: 1 })),
        expires: whenever,
      }),
      { minLength: 1, maxLength: 2 },
    )
    .map((list) => list.map((x, i) => ({ id: `x${i}`, reason: 'r', author: 'a', ...x }))),
  maintenance: fc.array(fc.record({ name: some('m'), identities: who, from: whenever, to: whenever }), { maxLength: 1 }),
})

// Few kinds of acts, so that one differs from another in a single part of what its answer may depend on.
const rarely = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 2 })
const cases = fc.array(
  fc.record({
    identity,
    action,
    class: class_,
    resource: rarely(resource),
    destination: rarely(destination),
    from: rarely(segment),
    to: rarely(segment),
  }),
  { minLength: 12, maxLength: 20 },
)

/** Without what is undefined, as a file has it. */
const bare = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T

test('policy test and the detector agree on any policy and any act, asked once or again', () => {
  let [denied, quiet] = [0, 0]
  fc.assert(
    fc.property(policies, cases, (policy, acts) => {
      const met = compare(
        Policy.parse(bare(policy) as PolicyInput),
        acts.map((act, i) => PolicyCase.parse({ name: `case ${i}`, ...bare(act), expect: {} })),
      )
      denied += met.denied
      quiet += met.quiet
    }),
    { seed: 3, numRuns: 150 },
  )
  assert.ok(denied > 500 && quiet > 50, `${denied} denials of which ${quiet} quiet: enough of either to mean something`)
})
