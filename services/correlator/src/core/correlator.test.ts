import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Incident } from '@plumbline/schemas'
import { Correlator } from './correlator.ts'
import { ROLE, type Signal } from './signal.ts'
import {
  alerted,
  alertFor,
  DAY,
  fleet,
  HOUR,
  MINUTE,
  outsideWrite,
  signal,
  since,
  splitFlow,
  START,
  told,
  untold,
  untrustedRead,
} from './signals.testkit.ts'

const run = (signals: readonly Signal[], correlator = new Correlator()): Incident[] => {
  for (const one of signals) correlator.add(one)
  const incidents = correlator.close(Math.max(...signals.map(({ time }) => time)) + MINUTE)
  for (const incident of incidents) Incident.parse(incident)
  return incidents
}
const LATER = START + 10 * DAY

test('a flow split over three agents of one task is found though no step alerted, and names who did what', () => {
  const [incident, ...more] = run(splitFlow(START))
  assert.deepEqual(more, [])
  assert.ok(incident !== undefined)
  assert.deepEqual([incident.kind, incident.severity, incident.revision, incident.activity], ['split_flow', 'high', 1, 'create'])
  assert.deepEqual(incident.cause, { kind: 'root', value: 'root-1', share: 1 })
  assert.deepEqual(
    incident.steps?.map(({ step, identity, object }) => [step, identity, object]),
    [
      ['untrusted_read', 'reader', 'page/7'],
      ['sensitive_read', 'analyst', 'hr/1'],
      ['outside_write', 'mailer', 'drop.example'],
    ],
  )
  assert.equal(
    incident.text.headline,
    'In one task, reader read text from outside (page/7), analyst read sensitive data (hr/1), and mailer sent data to drop.example.',
  )
})

test('a flow is joined by the agent that gave it out where no task is told, and not by a person', () => {
  const planner = signal({ time: START - MINUTE, identity: 'planner' })
  const byPlanner = run([planner, ...splitFlow(START, { root: '', by: 'planner' })])
  assert.deepEqual(byPlanner[0]?.cause, { kind: 'delegator', value: 'planner', share: 1 })
  const person = signal({ time: START - MINUTE, identity: 'ada', kind: 1 })
  assert.deepEqual(run([person, ...splitFlow(START, { root: '', by: 'ada' })]), [])
})

test('a flow to a place that the request named, in another order, in two tasks or of one agent alone is none', () => {
  assert.deepEqual(run(splitFlow(START, {}, told)), [])
  const [untrusted, sensitive, write] = splitFlow(START) as [Signal, Signal, Signal]
  assert.deepEqual(run([sensitive, { ...untrusted, time: sensitive.time + 1 }, write]), [])
  assert.deepEqual(run([untrusted, { ...sensitive, root: 'root-2' }, write]), [])
  assert.deepEqual(run([untrusted, sensitive, write].map((one) => ({ ...one, identity: 'all' }))), [], 'its own alerts judge that')
  assert.deepEqual(run([untrusted, sensitive, { ...write, time: write.time + 5 * HOUR }]), [], 'a task is over by then')
})

test('where nothing is known of who named the place, it has to be new to everybody', () => {
  const unknown = splitFlow(START + DAY, {}, 0)
  assert.equal(run(unknown)[0]?.severity, 'medium')
  const known = signal({ time: START, identity: 'else', destination: 'drop.example', roles: ROLE.place })
  assert.deepEqual(run([known, ...unknown]), [])
  assert.equal(run([known, ...splitFlow(START + DAY)]).length, 1, 'a place that nobody asked for is told all the same')
})

test('a way of work that comes back day after day becomes usual', () => {
  const correlator = new Correlator()
  const days = [0, 1, 2, 3, 4, 5].map((day) => run(splitFlow(START + day * DAY, { root: `root-${day}` }), correlator).length)
  assert.deepEqual(days, [1, 1, 1, 1, 0, 0])
})

test('a way of work that rarely ends at a new place does not make such an end usual', () => {
  const correlator = new Correlator()
  const told: number[] = []
  for (let day = 0; day < 30; day++)
    for (let n = 0; n < 6; n++) {
      const odd = n === 0 && day % 5 === 0
      const known = { destination: 'partner.example', flags: outsideWrite } as const
      const [untrusted, sensitive, write] = splitFlow(START + day * DAY + n * HOUR, { root: `root-${day}-${n}` }) as [
        Signal,
        Signal,
        Signal,
      ]
      const found = run([untrusted, sensitive, odd ? write : { ...write, ...known }], correlator).filter(({ revision }) => revision === 1)
      if (odd) told.push(found.length)
      else assert.deepEqual(found, [])
    }
  assert.deepEqual(told, [1, 1, 1, 1, 1, 1])
})

test('a source that was one identity’s own and speaks for another one is found once; an office is nobody’s', () => {
  const own = [0, 1, 2].map((day) => signal({ time: START + day * DAY, identity: 'eva', kind: 1, source: '203.0.113.7' }))
  const guest = signal({ time: START + 2 * DAY + HOUR, identity: 'pipeline', source: '203.0.113.7' })
  const [incident, ...more] = run([...own, guest])
  assert.deepEqual(more, [])
  assert.deepEqual(
    [incident?.kind, incident?.cause.value, incident?.identities.map(({ id }) => id)],
    ['shared_source', '203.0.113.7', ['pipeline']],
  )
  assert.match(incident?.text.headline ?? '', /^pipeline was used from 203\.0\.113\.7, which only eva used until now\.$/)
  const office = [0, 1, 2].flatMap((day) =>
    ['a', 'b', 'c', 'd'].map((id, i) => signal({ time: START + day * DAY + i, identity: id, kind: 1, source: '198.51.100.1' })),
  )
  assert.deepEqual(run([...office, { ...guest, source: '198.51.100.1' }]), [])
  assert.deepEqual(run([...own, { ...guest, maturity: 0.1 }]), [], 'of who is hardly known nothing can be said')
  assert.deepEqual(run([own[0]!, { ...guest, time: START + HOUR }]), [], 'an address of one day is nobody’s own yet')
})

test('one bad tool across a fleet is one incident that names it, with the alerts that stay', () => {
  const acts = fleet(LATER, 12, { destination: 'drop.example', flags: alerted }).map((act, i) => (i < 4 ? act : { ...act, flags: 0 }))
  const correlator = new Correlator()
  for (const act of acts.slice(0, 4)) correlator.addAlert(alertFor(act))
  const incidents = run([since(START), ...acts], correlator)
  assert.deepEqual(new Set(incidents.map(({ id }) => id)).size, 1)
  assert.deepEqual(
    incidents.map(({ revision }) => revision),
    incidents.map((_, i) => i + 1),
  )
  const last = incidents.at(-1)!
  assert.deepEqual([last.cause.kind, last.cause.value, last.also[0]?.value], ['destination', 'drop.example', 'pdf.convert'])
  assert.deepEqual(
    last.alerts,
    acts
      .slice(0, 4)
      .map((act) => alertFor(act).id)
      .sort(),
  )
  const [final] = correlator.close(LATER + 3 * HOUR)
  assert.deepEqual([final?.identityCount, final?.revision, final?.severity], [12, last.revision + 1, 'critical'])
  assert.match(final?.text.headline ?? '', /^12 identities departed .* with destination drop\.example in common\.$/)
})

test('a deploy that only looks unusual is no incident, one that alerts is, under the name of its release', () => {
  const release = { release: '26.2', action: 'translate.text' }
  const seen = fleet(LATER - MINUTE, 12, { ...release, roles: ROLE.sighting }, 0)
  assert.deepEqual(run([since(START), ...seen, ...fleet(LATER, 12, release)]), [])
  const loud = fleet(LATER, 12, { ...release, flags: alerted })
  const correlator = new Correlator()
  for (const act of loud) correlator.addAlert(alertFor(act, 'medium'))
  const [first] = run([since(START), ...seen, ...loud], correlator)
  assert.match(first?.text.why ?? '', /^A deploy may explain it\./)
  assert.equal(first?.severity, 'medium')
})

test('what usually departs together is no crowd, and what was told does not become usual at once', () => {
  const correlator = new Correlator()
  run([since(START - 10 * DAY)], correlator)
  const daily = Array.from({ length: 10 }, (_, day) => run(fleet(START + day * DAY, 6, { action: 'report.export' }), correlator).length)
  assert.ok(daily[0]! > 0, 'new to the tenant')
  assert.equal(daily.at(-1), 0)
  const once = new Correlator()
  const first = run([since(START - 10 * DAY), ...fleet(START, 12)], once)
  const again = run(fleet(START + DAY, 12), once)
  assert.ok(first.length > 0 && again.length > 0)
  assert.notEqual(first[0]!.id, again.at(-1)!.id, 'another day, another incident')
})

test('late inputs make a new revision of the same incident, those that come days later are counted', () => {
  const correlator = new Correlator()
  const acts = fleet(LATER, 8, { destination: 'drop.example' })
  run([since(START), ...acts.slice(0, 7)], correlator)
  const [ended] = correlator.close(LATER + 5 * HOUR)
  const before = ended ?? assert.fail()
  correlator.add(acts[7]!)
  const [late, ...more] = correlator.close(LATER + 5 * HOUR + MINUTE)
  assert.deepEqual(more, [])
  assert.deepEqual([late?.id, late?.revision, late?.late, late?.identityCount], [before.id, before.revision + 1, true, 8])
  correlator.close(LATER + 3 * DAY)
  correlator.add(acts[7]!)
  assert.deepEqual([correlator.counters.late, correlator.counters.tooLate], [1, 1])
  assert.deepEqual(correlator.close(LATER + 3 * DAY + MINUTE), [])
})

test('an alert that comes after its row is joined to the incident by a new revision', () => {
  const correlator = new Correlator()
  const acts = fleet(LATER, 6, { destination: 'drop.example', flags: alerted })
  const first = run([since(START), ...acts], correlator).at(-1)!
  assert.deepEqual(first.alerts, [])
  correlator.addAlert(alertFor(acts[0]!))
  const second = correlator.close(LATER + HOUR - MINUTE).at(-1)!
  assert.deepEqual([second.id, second.alerts, second.late], [first.id, [alertFor(acts[0]!).id], true])
})

test('tenants never mix, and what is forgotten is gone', () => {
  const [untrusted, sensitive, write] = splitFlow(START) as [Signal, Signal, Signal]
  assert.deepEqual(run([untrusted, { ...sensitive, tenant: 'other' }, write]), [])
  const correlator = new Correlator()
  run([untrusted, sensitive], correlator)
  correlator.forget('acme', 'analyst')
  assert.deepEqual(run([write], correlator), [])
  const whole = new Correlator()
  run([untrusted, sensitive], whole)
  whole.forget('acme')
  assert.doesNotMatch(whole.pack(), /analyst|acme/)
})

test('INV-6 memory is bounded whatever comes, and what is left out is counted', () => {
  const limits = { pending: 500, alerts: 10, tenants: 2, episodes: 8, members: 4, places: 16, names: 16 }
  const correlator = new Correlator(limits)
  const sizeAfter = (hours: number): number => {
    for (let h = 0; h < hours; h++) {
      for (let i = 0; i < 600; i++)
        correlator.add(
          signal({
            time: START + h * HOUR + i * 5_000,
            tenant: `t${i % 3}`,
            identity: `id-${h}-${i}`,
            source: `10.${h % 250}.${i % 250}.1`,
            destination: `d-${h}-${i}.example`,
            root: `root-${i}`,
            flags: untrustedRead | untold,
            roles: ROLE.sighting | ROLE.departs | ROLE.step | ROLE.place,
          }),
        )
      for (let i = 0; i < 30; i++) correlator.addAlert(alertFor(signal({ time: START + h * HOUR + i })))
      correlator.close(START + (h + 1) * HOUR)
    }
    return correlator.pack().length
  }
  const small = sizeAfter(10)
  assert.ok(sizeAfter(60) < 1.5 * small)
  const { overflow, tenantsForgotten } = correlator.counters
  assert.ok(overflow > 0 && tenantsForgotten > 0 && correlator.forgotten > 0)
  for (let n = 0; correlator.shrink(); n++) assert.ok(n < 100, 'and it can be made as small as it has to be')
})
