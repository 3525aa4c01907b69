import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { Alert, SCORED_FLAGS } from '@plumbline/schemas'
import { type Act, DAY, HOUR, Rig, SECOND, START, work } from '../rig.testkit.ts'
import { alertId } from './identity.ts'

/** UUIDv5 by the book (RFC 9562 §5.5), to check the one that ships. */
const uuid5 = (namespace: string, name: string): string => {
  const hash = createHash('sha1')
    .update(Buffer.from(namespace.replaceAll('-', ''), 'hex'))
    .update(name)
    .digest()
    .subarray(0, 16)
  const hex = Buffer.from(hash.map((b, i) => (i === 6 ? (b & 15) | 0x50 : i === 8 ? (b & 63) | 0x80 : b))).toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

test('an alert id is the UUIDv5 of tenant, identity, group and first position', () => {
  const dns = '6ba7b810-9dad-11d1-80b4-00c04fd430c8'
  assert.equal(uuid5(dns, 'www.example.com'), '2ed6657d-e927-568b-95e1-2665a8aea6a2')
  const parts = ['default', 'bot', 'rate:0000abcd', 'events', 3, 17] as const
  assert.equal(alertId(...parts), uuid5(uuid5(dns, 'plumbline'), JSON.stringify(parts)))
  for (const other of [
    ['x', ...parts.slice(1)],
    [...parts.slice(0, 5), 18],
    [...parts.slice(0, 2), 'rate:0000abce', ...parts.slice(3)],
  ]) {
    assert.notEqual(alertId(...(other as unknown as typeof parts)), alertId(...parts))
  }
})

/** A rig in which everything named `bad` alerts by policy, whatever its score. */
const denying = (config = {}): Rig => {
  const rig = new Rig({ config })
  rig.policy({ rules: [{ id: 'r1', identities: '*', effect: 'deny', classes: ['bad*'] }] })
  return rig
}

test('a group publishes its first event and each doubling; id and first position stay, suppressed counts add up', () => {
  const rig = denying()
  const first = rig.log.length
  for (let i = 0; i < 300; i++) rig.act({ at: START + i * SECOND, class: 'bad', session: 's' })
  assert.deepEqual(
    rig.alerts.map((a) => a.count),
    [1, 2, 4, 8, 16, 32, 64, 128, 256],
  )
  assert.deepEqual(
    rig.alerts.map((a) => a.revision),
    rig.alerts.map((_, i) => i + 1),
  )
  assert.deepEqual(
    rig.alerts.map((a) => a.activity),
    ['create', ...rig.alerts.slice(1).map(() => 'update')],
  )
  const { id, groupKey } = rig.alerts[0]!
  assert.equal(id, alertId('default', 'bot', groupKey, 'events', 0, first))
  for (const a of rig.alerts) {
    assert.deepEqual([a.id, a.groupKey, a.firstSeen, a.family], [id, groupKey, START, 'policy'])
    const offsets = a.evidence.map((p) => p.offset - first)
    const wanted = a.count <= 32 ? Array.from({ length: a.count }, (_, i) => i) : [...Array.from({ length: 31 }, (_, i) => i), a.count - 1]
    assert.deepEqual(offsets, wanted, 'the first events of the group, whether published or not, and the newest')
    assert.deepEqual(Alert.parse(JSON.parse(JSON.stringify(a))), JSON.parse(JSON.stringify(a)), 'fits its contract')
  }
  const told = rig.alerts.reduce((n, a) => n + a.suppressed + 1, 0)
  assert.equal(told, 256, 'published and suppressed make the count at the last revision')
  assert.equal(rig.detector.counters.quiet.grouped, 300 - rig.alerts.length)
  assert.equal(rig.capsules.length, rig.alerts.length)
})

test('a rise in severity is published at once', () => {
  const rig = denying()
  const calm: Partial<Act> = { class: 'bad', sensitivity: 1 }
  for (let i = 0; i < 3; i++) rig.act({ at: START + i * SECOND, session: 's', ...calm })
  rig.act({ at: START + 3 * SECOND, session: 's', ...calm, sensitivity: 3 })
  rig.act({ at: START + 4 * SECOND, session: 's', ...calm, sensitivity: 3 })
  assert.deepEqual(
    rig.alerts.map((a) => [a.count, a.severity, a.suppressed]),
    [
      [1, 'high', 0],
      [2, 'high', 0],
      [4, 'critical', 1],
    ],
  )
  const risks = rig.alerts.map((a) => a.risk)
  assert.ok(risks.every((r, i) => i === 0 || r >= risks[i - 1]!) && risks.at(-1)! <= 100)
})

test('the same thing again within a day joins its group in another session; after a day, or about another thing, it is new', () => {
  const rig = denying()
  rig.act({ at: START, class: 'bad', session: 'a' })
  rig.act({ at: START + 20 * HOUR, class: 'bad', session: 'b' })
  rig.act({ at: START + 21 * HOUR, class: 'bad', session: 'c', action: 'crm.other' })
  rig.act({ at: START + 46 * HOUR, class: 'bad', session: 'd' })
  assert.equal(rig.alerts[1]!.id, rig.alerts[0]!.id)
  assert.equal(rig.alerts[1]!.revision, 2)
  assert.notEqual(rig.alerts[2]!.id, rig.alerts[0]!.id)
  const ids = rig.alerts.map((a) => a.id)
  assert.deepEqual(
    rig.alerts.slice(3).map((a) => [ids.indexOf(a.id), a.activity, a.revision]),
    [
      [0, 'close', 3],
      [2, 'close', 2],
      [5, 'create', 1],
    ],
    'what nothing can join any more is closed by the next record',
  )
})

test('five kinds of trouble at once: the oldest of four open groups gives way, and no id is used twice', () => {
  const rig = denying()
  for (let round = 0; round < 3; round++) {
    for (let kind = 0; kind < 5; kind++) rig.act({ at: START + (round * 5 + kind) * 2 * HOUR, class: 'bad', action: `do.${kind}` })
  }
  const revisions = new Map<string, number>()
  for (const a of rig.alerts) {
    const before = revisions.get(a.id) ?? 0
    assert.equal(a.revision, before + 1, 'INV-3: revisions of an id count up by one')
    revisions.set(a.id, a.revision)
  }
  assert.ok(revisions.size > 5)
})

test('more kinds of trouble at once than there is room for do not open groups by turns', () => {
  const rig = denying()
  for (let i = 0; i < 400; i++) rig.act({ at: START + i * SECOND, class: 'bad', action: `do.${i % 7}`, session: `s${i % 7}` })
  assert.equal(new Set(rig.alerts.map(({ id }) => id)).size, 4)
  assert.equal(rig.detector.counters.quiet.grouped, 400 - rig.alerts.length, 'what is not told is counted')
  assert.ok(
    rig.rows.every(({ flags }) => (flags & SCORED_FLAGS.alerted) !== 0),
    'and marked in its row',
  )
})

test('a backfilled alert says so, another does not', () => {
  const rig = denying()
  rig.act({ at: START - 30 * DAY, class: 'bad' }, { arrival: START, historic: true })
  rig.act({ at: START, who: 'other', class: 'bad' })
  assert.deepEqual(
    rig.alerts.map((a) => [a.historic, a.facts.identity.id]),
    [
      [true, 'bot'],
      [false, 'other'],
    ],
  )
})

test('nothing but a rule alerts below the floor of improbability', () => {
  const rig = new Rig({ config: { tailFloor: 0 } })
  const end = work(rig, 4)
  for (let i = 0; i < 20; i++)
    rig.act({ at: end + i * HOUR, action: `odd.${i}`, class: `odd${i}`, destination: `${i}.example.org`, bytesOut: 1000 })
  assert.deepEqual(rig.alerts, [])
})

test('flags of an alerting row: alerted and withheld, critical when a rule spoke', () => {
  const rig = denying({ tailFloor: 0.02 })
  const end = work(rig, 10)
  const byRule = rig.act({ at: end, class: 'bad' })!
  const byScore = rig.act({ at: end + HOUR, action: 'odd.write', class: 'odd', destination: 'x.example.org', bytesOut: 1e6 })!
  const { alerted, withheld, critical, learned } = SCORED_FLAGS
  assert.equal(byRule.flags & (alerted | withheld | critical | learned), alerted | withheld | critical)
  assert.equal(byScore.flags & (alerted | withheld | critical | learned), alerted | withheld)
})

/** A bot that does something new once every eight hours, for so many days; nobody says anything. */
const lasting = (days: number, change: Partial<Act> = {}, config = {}): Rig => {
  const rig = new Rig({ config: { tailFloor: 0.02, adoptAfterDays: 7, ...config } })
  const end = work(rig, 12)
  rig.strict()
  for (let i = 0; i < days * 3; i++)
    rig.act({ at: end + i * 8 * HOUR, action: 'files.upload', class: 'files', destination: 'drop.example.net', ...change })
  return rig
}
const adopted = (rig: Rig): number => rig.rows.filter(({ flags }) => (flags & SCORED_FLAGS.adopting) !== 0).length

test('C10 what lasts for a week without a verdict is learned slowly, said once, and in the end is normal', () => {
  const week = lasting(6.9)
  assert.equal(adopted(week), 0)
  assert.ok(week.rows.slice(-10).every(({ flags }) => (flags & SCORED_FLAGS.withheld) !== 0))
  const rig = lasting(30)
  const said = rig.alerts.filter((a) => a.adopting === true && a.activity !== 'close')
  assert.ok(adopted(rig) >= 3, `${adopted(rig)} adopted`)
  assert.match(said[0]!.text.certainty, /gone on for 7 days without a verdict, so from here on it is learned as normal/)
  assert.ok(said.length <= 2, 'once, and with the doublings after it')
  assert.equal(rig.rows.at(-1)!.flags & SCORED_FLAGS.alerted, 0, 'a habit by now')
})

test('C10 sensitive data, rules and what was confirmed are never adopted', () => {
  assert.equal(adopted(lasting(20, { class: 'hr', sensitivity: 3 })), 0)
  const denied = denying({ adoptAfterDays: 1 })
  for (let i = 0; i < 30; i++) denied.act({ at: START + i * 8 * HOUR, class: 'bad' })
  assert.equal(adopted(denied), 0)
})

test('a milder act that joins takes neither the severity nor the words from the graver one before it', () => {
  const rig = denying()
  rig.policy({
    resources: [{ match: { action: 'do.grave' }, sensitivity: 3 }],
    rules: [{ id: 'r1', identities: '*', effect: 'deny', classes: ['bad*'] }],
  })
  const act = (i: number, action: string): void => void rig.act({ at: START + i * SECOND, class: 'bad', action, session: 's' })
  act(0, 'do.grave')
  const [first] = rig.alerts
  assert.equal(first!.severity, 'critical')
  for (let i = 1; i < 9; i++) act(i, 'do.mild')
  const last = rig.alerts.at(-1)!
  assert.deepEqual([last.id, last.revision, last.count], [first!.id, 4, 8])
  assert.deepEqual([last.severity, last.critical, last.score, last.replay], [first!.severity, true, first!.score, first!.replay])
  assert.match(last.text.headline, /do\.grave.*the gravest of 8 events of this kind/)
  assert.equal(rig.capsules.length, 1, 'the capsule of the gravest stays the newest')
  assert.equal(last.evidence.length, 8)
})
