import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BLIND_SPOT_KINDS, type BlindSpot, type BlindSpotKind, type EventInput, Policy } from '@plumbline/schemas'
import { policyHash } from '../../policy/index.ts'
import { type Act, DAY, eventOf, HOUR, MASTER_KEY, MINUTE, Rig, START, strictRelease } from '../../rig.testkit.ts'
import { createProber } from './blind-spots.ts'

/** A life of `days`, and what came of it: the rig, where it goes on from, and its newest events. */
interface Lived {
  readonly rig: Rig
  readonly recent: EventInput[]
}

const live = (acts: Iterable<Act>): Lived => {
  const rig = new Rig()
  const recent: EventInput[] = []
  let n = 0
  for (const act of acts) {
    if (n === 200) rig.strict()
    rig.act(act)
    recent.push(eventOf(act, `e${n++}`))
  }
  return { rig, recent: recent.slice(-100).toReversed() }
}

/** Twelve calls an hour, around the clock, always alike. */
function* robot(days = 14): Generator<Act> {
  for (let i = 0; i < days * 24 * 12; i++)
    yield {
      at: START + i * 5 * MINUTE,
      session: `s${Math.floor(i / 12)}`,
      action: 'crm.read',
      bytesOut: 2000,
      destination: 'crm.corp.internal',
    }
}

/** Some hours of working days with a few acts, some with many; the amounts differ a thousandfold. */
function* person(days = 20): Generator<Act> {
  for (let day = 0; day < days; day++)
    for (let hour = 0; hour < 8; hour++) {
      if ((day + 3) % 7 >= 5) continue
      const n = [2, 5, 11, 30, 3, 60, 8, 20][(hour + day) % 8]!
      for (let i = 0; i < n; i++)
        yield {
          at: START + day * DAY + hour * HOUR + Math.floor((i * HOUR) / n),
          kind: 'user',
          session: `s${day}-${hour}`,
          action: i % 3 === 0 ? 'crm.search' : 'crm.read',
          bytesOut: 10 ** (2 + ((i * 7 + hour + day) % 5)),
          destination: 'crm.corp.internal',
          resource: `r${(i * 7 + hour) % 40}`,
        }
    }
}

const probe = ({ rig, recent }: Lived): readonly BlindSpot[] => {
  const { id, bytes } = strictRelease(rig.config)
  const prober = createProber({ tenant: 'default', config: rig.config, masterKey: MASTER_KEY, release: { id, bytes }, policy: undefined })
  return prober.probe({ identity: 'bot', slot: rig.slot()!, recent }).spots
}
const spotIn = (spots: readonly BlindSpot[], kind: BlindSpotKind): BlindSpot => spots.find((spot) => spot.kind === kind)!

/** What the same identity does next, in truth: this many acts evenly over an hour, with so many bytes altogether where said. */
const goesOn = ({ rig }: Lived, hourMs: number, acts: number, more: Partial<Act>): boolean => {
  const before = rig.alerts.length
  for (let i = 0; i < acts; i++) {
    const at = hourMs + Math.floor(((i + 0.5) * HOUR) / acts)
    rig.act({ at, session: `next-${Math.floor(i / 12)}`, action: 'crm.read', bytesOut: 2000, destination: 'crm.corp.internal', ...more })
  }
  return rig.alerts.slice(before).some(({ activity }) => activity !== 'close')
}
const NEXT_HOUR = START + 14 * DAY

test('every kind has an answer, in order; what the identity never does is not tried', () => {
  const spots = probe(live(robot()))
  assert.deepEqual(
    spots.map(({ kind }) => kind),
    [...BLIND_SPOT_KINDS],
  )
  assert.deepEqual(
    spots.flatMap(({ kind, skipped }) => (skipped === null ? [] : [[kind, skipped]])),
    [
      ['volume_in', 'nothing_alike'],
      ['sensitive_reads', 'nothing_alike'],
      ['resources', 'nothing_alike'],
      ['off_hours', 'always_active'],
    ],
  )
  assert.equal(Math.round(spotIn(spots, 'rate').usual!), 12)
  assert.equal(Math.round(spotIn(spots, 'volume_out').usual!), 24_000)
  for (const { skipped, alertsFrom, upTo } of spots)
    if (skipped === null && alertsFrom !== null) assert.ok(alertsFrom >= 1 && alertsFrom <= upTo)
})

test('a steady robot has lower limits than a person of bursts', () => {
  const [ofRobot, ofPerson] = [probe(live(robot())), probe(live(person()))]
  for (const kind of ['volume_out', 'rate', 'denied'] as const) {
    const [low, high] = [spotIn(ofRobot, kind).alertsFrom!, spotIn(ofPerson, kind).alertsFrom!]
    assert.ok(low < high, `${kind}: ${low} against ${high}`)
  }
  assert.ok(spotIn(ofRobot, 'rate').alertsFrom! < 36, 'three times the usual of a robot is seen')
})

for (const [kind, more] of [
  ['rate', {}],
  ['denied', { outcome: 'denied' }],
  ['foreign_reads', { class: 'payroll', sensitivity: 3, bytesOut: 0 }],
] as const)
  test(`the limit is true of ${kind}: as many acts alert, a fifth fewer do not`, () => {
    const limit = spotIn(probe(live(robot())), kind).alertsFrom!
    assert.ok(goesOn(live(robot()), NEXT_HOUR, limit, more), `${limit} alert`)
    const fewer = Math.ceil(limit * 0.8) - 1
    if (fewer > 0) assert.ok(!goesOn(live(robot()), NEXT_HOUR, fewer, more), `${fewer} of ${limit} do not`)
  })

test('the limit is true of bytes: as many alert, in whatever of the tried numbers of acts; a fifth less does not in the one that is told', () => {
  for (const kind of ['volume_out', 'new_destination'] as const) {
    const { alertsFrom, acts } = spotIn(probe(live(robot())), kind)
    const destination = kind === 'volume_out' ? 'crm.corp.internal' : 'drop.example'
    const send = (bytes: number, n: number) =>
      goesOn(live(robot()), NEXT_HOUR, n, { bytesOut: Math.round(bytes / n), destination, session: 'sends' })
    for (const n of [1, 12, 60]) assert.ok(send(alertsFrom! * 1.01, n), `${kind} ${alertsFrom} in ${n}`)
    assert.ok(!send(alertsFrom! * 0.8, acts!), `${kind} 80 % of ${alertsFrom} in ${acts}`)
  }
})

test('the same baseline gives the same answer, whoever was tried before, and is not changed', () => {
  const [one, other] = [live(robot()), live(person())]
  const { id, bytes } = strictRelease(one.rig.config)
  const context = { tenant: 'default', config: one.rig.config, masterKey: MASTER_KEY, release: { id, bytes }, policy: undefined }
  const subject = ({ rig, recent }: Lived) => ({ identity: 'bot', slot: rig.slot()!, recent })
  const before = Buffer.from(one.rig.slot()!)
  const prober = createProber(context)
  const first = prober.probe(subject(one))
  prober.probe(subject(other))
  assert.deepEqual(prober.probe(subject(one)), first)
  assert.deepEqual(createProber(context).probe(subject(one)), first)
  assert.deepEqual(Buffer.from(one.rig.slot()!), before)
  assert.equal(first.baselineAt, one.recent[0]!.time)
})

test('an alert that is open hides nothing: what is tried is news', () => {
  const lived = live(robot())
  const before = spotIn(probe(lived), 'denied')
  assert.ok(goesOn(lived, NEXT_HOUR, before.alertsFrom!, { outcome: 'denied' }))
  const after = spotIn(probe(lived), 'denied')
  assert.ok(after.alertsFrom !== null && after.alertsFrom <= 2 * before.alertsFrom!, `${after.alertsFrom}`)
})

test('where the policy keeps everything quiet, it is blind', () => {
  const { rig, recent } = live(robot())
  const policy = Policy.parse({
    maintenance: [{ name: 'for ever', identities: '*', from: '2020-01-01T00:00:00Z', to: '2099-01-01T00:00:00Z' }],
  })
  const { id, bytes } = strictRelease(rig.config)
  const prober = createProber({
    tenant: 'default',
    config: rig.config,
    masterKey: MASTER_KEY,
    release: { id, bytes },
    policy: { policy, hash: policyHash(policy) },
  })
  const { spots } = prober.probe({ identity: 'bot', slot: rig.slot()!, recent })
  assert.deepEqual([...new Set(spots.map(({ alertsFrom }) => alertsFrom))], [null])
})

test('what cannot be scored is no blind spot: it says so', () => {
  const { rig, recent } = live(robot(2))
  const { id, bytes } = strictRelease(rig.config)
  const prober = createProber({ tenant: 'default', config: rig.config, masterKey: MASTER_KEY, release: { id, bytes }, policy: undefined })
  const broken = recent.map((event) => ({ ...event, destination: '' }))
  assert.throws(() => prober.probe({ identity: 'bot', slot: rig.slot()!, recent: broken }), {
    code: 'REPLAY_FAILED',
    message: /destination/,
  })
})
