import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type PolicyInput, SCORED_FLAGS } from '@plumbline/schemas'
import { type Act, DAY, eventOf, feature, HOUR, MINUTE, Rig, START, strictRelease, work } from './rig.testkit.ts'
import { H } from './state/layout.ts'

const odd = (at: number, change: Partial<Act> = {}): Act => ({
  at,
  action: 'files.upload',
  class: 'files',
  destination: 'drop.example.net',
  ...change,
})

const alerted = (): { readonly rig: Rig; readonly at: number } => {
  const rig = new Rig({ config: { tailFloor: 0.02 } })
  const at = work(rig, 12)
  rig.strict()
  rig.act(odd(at))
  assert.equal(rig.alerts.length, 1)
  return { rig, at }
}

const judge = (
  rig: Rig,
  verdict: 'safe' | 'dismissed' | 'confirmed',
  events: readonly Act[] = [],
  identity = 'bot',
  controlId?: string,
): void => {
  const alert = rig.alerts[0]!
  rig.control(
    'verdict',
    {
      alertId: alert.id,
      identity,
      verdict,
      groupKey: alert.groupKey,
      events: events.map((e, i) => Buffer.from(JSON.stringify(eventOf(e, `evidence-${i}`))).toString('base64')),
      author: 'me',
    },
    controlId,
  )
}
const flagged = (rig: Rig): number => rig.rows.at(-1)!.flags & (SCORED_FLAGS.alerted | SCORED_FLAGS.learned | SCORED_FLAGS.excepted)

test('dismissed: what is alike still alerts', () => {
  const { rig, at } = alerted()
  judge(rig, 'dismissed', [odd(at)])
  rig.act(odd(at + 2 * DAY))
  assert.equal(flagged(rig), SCORED_FLAGS.alerted)
})

test('safe: the evidence is learned, and what is alike stays quiet and is learned', () => {
  const { rig, at } = alerted()
  const learned = rig.learned()
  judge(rig, 'safe', [odd(at)])
  assert.ok(rig.learned() > learned)
  const row = rig.act(odd(at + 2 * DAY))!
  assert.equal(flagged(rig) & SCORED_FLAGS.alerted, 0)
  assert.ok(flagged(rig) & SCORED_FLAGS.learned)
  assert.equal(feature(row, 'destination_first'), 0)
  // The pattern itself is remembered: however odd the event is, the same family about the same object stays quiet.
  const { family } = rig.alerts[0]!
  rig.act(odd(at + 3 * DAY, { action: 'files.purge', class: 'vault', source: { country: 'BR', ip: '192.0.9.1' } }))
  assert.ok(rig.alerts.slice(1).every((a) => a.family !== family || a.activity === 'close'))
})

test('safe speaks of every reason the act had: with the first gone, the next does not lead to another alert', () => {
  const elsewhere = {
    source: { ip: '203.0.113.9', country: 'BR', userAgent: 'curl/8' },
    action: 'files.purge',
    class: 'vault',
    bytesOut: 4e7,
  }
  const { rig, at } = alerted()
  const act = odd(at + MINUTE, elsewhere)
  rig.act(act)
  assert.equal(flagged(rig), SCORED_FLAGS.alerted)
  judge(rig, 'safe', [act])
  for (let day = 2; day < 5; day++) rig.act(odd(at + day * DAY, elsewhere))
  assert.deepEqual(rig.rows.slice(-3).filter(({ flags }) => (flags & SCORED_FLAGS.alerted) !== 0).length, 0)
})

test('confirmed takes back what safe said: the pattern is told of again', () => {
  const { rig, at } = alerted()
  judge(rig, 'safe')
  rig.act(odd(at + DAY))
  assert.ok(flagged(rig) & SCORED_FLAGS.excepted)
  judge(rig, 'confirmed', [odd(at)])
  rig.act(odd(at + 2 * DAY))
  assert.equal(flagged(rig) & SCORED_FLAGS.excepted, 0)
})

test('safe works without evidence as long as the group is open', () => {
  const { rig, at } = alerted()
  judge(rig, 'safe')
  rig.act(odd(at + 2 * DAY))
  assert.equal(flagged(rig), SCORED_FLAGS.excepted | SCORED_FLAGS.learned)
  assert.equal(rig.detector.counters.quiet.safe, 1)
})

test('safe speaks of one identity and one object: elsewhere the same still alerts', () => {
  const { rig, at } = alerted()
  work(rig, 12, 30, { who: 'twin' })
  judge(rig, 'safe', [odd(at)])
  rig.act(odd(at + DAY, { who: 'twin' }))
  assert.equal(flagged(rig), SCORED_FLAGS.alerted)
  rig.act(odd(at + DAY, { destination: 'elsewhere.example.org', action: 'files.send', class: 'vault', bytesOut: 4e7 }))
  assert.equal(flagged(rig), SCORED_FLAGS.alerted)
})

test('safe: evidence of another identity or another tenant teaches nobody and touches nobody', () => {
  const { rig, at } = alerted()
  rig.act({ at, who: 'bot', tenant: 'other' })
  rig.act({ at, who: 'someone' })
  const before = new Map([...rig.store.kept].map(([k, v]) => [k, Buffer.from(v).toString('hex')]))
  const learned = rig.learned()
  judge(rig, 'safe', [odd(at, { who: 'someone' }), odd(at, { tenant: 'other' }), odd(at, { who: 'nobody' })])
  const own = `0:${Buffer.from(rig.keyOf('bot')).toString('hex')}`
  for (const [k, v] of rig.store.kept) if (k !== own) assert.equal(Buffer.from(v).toString('hex'), before.get(k), 'no other slot changed')
  assert.equal(rig.learned(), learned)
})

test('confirmed: risk rises, nothing is learned until another verdict, alerts go on', () => {
  const { rig, at } = alerted()
  const risk = rig.view().f32(H.risk)
  judge(rig, 'confirmed')
  assert.ok(rig.view().f32(H.risk) >= 90 && rig.view().f32(H.risk) > risk)
  const learned = rig.learned()
  rig.act({ at: at + HOUR })
  assert.equal(flagged(rig), 0)
  assert.equal(rig.learned(), learned)
  rig.act(odd(at + 2 * DAY, { destination: 'b.example.org' }))
  assert.equal(flagged(rig), SCORED_FLAGS.alerted)
  rig.restart()
  rig.act({ at: at + 2 * DAY + HOUR })
  assert.equal(flagged(rig), 0, 'still frozen after a restart')
  judge(rig, 'safe', [])
  rig.act({ at: at + 2 * DAY + 2 * HOUR })
  assert.equal(flagged(rig), SCORED_FLAGS.learned)
})

test('risk fades with time and never rises by itself', () => {
  const { rig, at } = alerted()
  judge(rig, 'confirmed')
  const start = rig.view().f32(H.risk)
  rig.act(odd(at + 3 * DAY, { destination: 'c.example.org' }))
  const alert = rig.alerts.at(-1)!
  assert.ok(alert.risk < start, `${alert.risk} after ${start}`)
})

const EXPIRES = '2026-12-01T00:00:00Z'

test('an exception keeps its families quiet for its identities and classes until it expires', () => {
  const policy = (exception: Record<string, unknown>): Rig => {
    const rig = new Rig({ config: { tailFloor: 0.02 } })
    rig.policy({ exceptions: [{ id: 'x', identities: 'b*', reason: 'agreed', author: 'me', expires: EXPIRES, ...exception }] })
    const at = work(rig, 12)
    rig.strict()
    rig.act(odd(at))
    return rig
  }
  const [family] = alerted().rig.alerts.map((a) => a.family)
  const quiet = policy({ families: [family], classes: ['files'] })
  assert.deepEqual(quiet.alerts, [])
  assert.equal(flagged(quiet) & SCORED_FLAGS.excepted, SCORED_FLAGS.excepted)
  assert.equal(quiet.detector.counters.quiet.exception, 1)
  for (const other of [{ families: ['travel'] }, { classes: ['crm'] }, { identities: 'c*' }, { expires: '2026-10-17T08:00:00Z' }])
    assert.equal(policy(other).alerts.length, 1, JSON.stringify(other))
})

test('a maintenance window is quiet inside and not outside', () => {
  const rig = new Rig({ config: { tailFloor: 0.02 } })
  const at = work(rig, 12)
  rig.strict()
  rig.policy({ maintenance: [{ name: 'upgrade', from: new Date(at).toISOString(), to: new Date(at + HOUR).toISOString() }] })
  rig.act(odd(at))
  assert.deepEqual([rig.alerts.length, rig.detector.counters.quiet.maintenance], [0, 1])
  rig.act(odd(at + HOUR, { destination: 'later.example.org' }))
  assert.equal(rig.alerts.length, 1)
})

test('erase forgets the identity: the stored slot is empty but for its key, and the next event is a first', () => {
  const rig = new Rig()
  const end = work(rig, 6)
  rig.act({ at: end, who: 'other' })
  const other = rig.slot('other')
  rig.control('erase', { identity: 'bot' })
  assert.ok(rig.slot()!.length <= 16 + 68, `${rig.slot()!.length} bytes left`)
  assert.deepEqual(rig.slot('other'), other)
  const row = rig.act({ at: end + HOUR })!
  assert.equal(row.flags & SCORED_FLAGS.newIdentity, SCORED_FLAGS.newIdentity)
  assert.equal(row.maturity, 0)
  rig.control('erase', { identity: 'never-seen' })
  assert.equal(rig.deadLetters.length, 0)
})

test('a control id works once, also after a restart; among the last 256 of the tenant', () => {
  const { rig } = alerted()
  judge(rig, 'confirmed', [], 'bot', 'v1')
  judge(rig, 'safe', [], 'bot', 'v2')
  const slot = rig.slot()
  judge(rig, 'confirmed', [], 'bot', 'v1')
  assert.deepEqual(rig.slot(), slot)
  rig.restart()
  judge(rig, 'confirmed', [], 'bot', 'v1')
  assert.deepEqual(rig.slot(), slot)
  for (let i = 0; i < 300; i++) rig.control('erase', { identity: 'nobody' }, `e${i}`)
  assert.equal(rig.detector.tenantsOf(0).get('default')!.applied.length, 256)
})

test('a policy is stored when it changes, not with every chunk', () => {
  const rig = new Rig()
  rig.act({ at: START, peerGroup: 'support' })
  rig.policy({ identities: Array.from({ length: 1000 }, (_, i) => ({ match: `agent-${i}`, owner: 'team' })) })
  const value = Buffer.from(JSON.stringify(eventOf({ at: START }, 'x')))
  const key = Buffer.from('e:default|bot')
  const written = (offset: number): number =>
    rig.detector.process(0, [{ offset, ingestTimeMs: START, key, value }]).meta.reduce((n, m) => n + m.bytes.length, 0)
  assert.ok(written(2) < 100)
  rig.restart()
  const tenant = rig.detector.tenantsOf(0).get('default')!
  assert.deepEqual([tenant.policySource?.identities.length, tenant.events, [...tenant.groupNames.values()]], [1000, 1, ['support']])
  assert.ok(written(2) < 100, 'opening a shard changes nothing')
})

test('a control record that cannot be read is a dead letter and changes nothing', () => {
  const rig = new Rig()
  rig.act({ at: START })
  const slot = rig.slot()
  const bad = [
    '',
    '{',
    '[]',
    'null',
    '{"v":1}',
    '{"v":2,"controlId":"a","tenant":"default","type":"erase","identity":"bot"}',
    '{"v":1,"controlId":"a","tenant":"default","type":"erase"}',
    '{"v":1,"controlId":"a","tenant":"default","type":"explode"}',
    '{"v":1,"controlId":"a","tenant":"default","type":"erase","identity":"bot","more":1}',
    '\u0000\ufffd',
  ]
  for (const text of bad) rig.record(Buffer.from('c:x'), Buffer.from(text))
  assert.deepEqual(
    rig.deadLetters.map((d) => d.code),
    bad.map(() => 'CONTROL_INVALID'),
  )
  assert.deepEqual(rig.slot(), slot)
  assert.equal(rig.detector.counters.controls, bad.length)
})

test('a key of no known kind is a dead letter', () => {
  const rig = new Rig()
  const value = Buffer.from(JSON.stringify(eventOf({ at: START }, 'a')))
  for (const key of ['', 'e', 'x:default|bot', 'E:default|bot', 'eh:default|bot', ':default|bot', '\0\0\0\0'])
    rig.record(Buffer.from(key), value, START)
  assert.deepEqual(new Set(rig.deadLetters.map((d) => d.code)), new Set(['RECORD_KEY_INVALID']))
  assert.equal(rig.rows.length, 0)
  rig.record(Buffer.from('h:acme|bot'), Buffer.from('{'), START)
  assert.deepEqual(
    [rig.deadLetters.at(-1)!.tenant, rig.deadLetters.at(-1)!.code],
    ['acme', 'JSON_SYNTAX'],
    'a backfilled record names its tenant as any other',
  )
})

test('a release that is not here stops the shard, and goes on once it is', () => {
  const releases = new Map<string, Uint8Array>()
  const rig = new Rig({ releases })
  rig.act({ at: START })
  const use = (): void => rig.control('release', { releaseId: 'default-r9', sha256: 'ab'.repeat(32) }, 'release:9')
  assert.throws(use, { code: 'RELEASE_UNSUPPORTED', retryable: true })
  releases.set('ab'.repeat(32), new Uint8Array(64))
  rig.restart()
  assert.throws(use, /RELEASE|release/)
  assert.equal(rig.detector.tenantsOf(0).get('default')!.release, null)
})

test('an event that cannot be read leaves those around it as they were', () => {
  const clean = new Rig()
  const spoiled = new Rig()
  for (let i = 0; i < 40; i++) {
    const at = START + i * MINUTE
    clean.act({ at }, { id: `i${i}` })
    spoiled.act({ at }, { id: `i${i}` })
    if (i % 3 === 0) spoiled.act({ at }, { raw: i % 2 === 0 ? '{"id":' : '{"v":1,"__proto__":{}}' })
  }
  assert.deepEqual(spoiled.slot(), clean.slot())
  assert.equal(spoiled.deadLetters.length, 14)
})

test('a release of another tenant, or one that is not newer, is refused and changes nothing; the same one again is no news', () => {
  const rig = new Rig()
  const made = (header: { readonly id: string; readonly sequence: number; readonly tenant?: string }) =>
    strictRelease(rig.config, false, header)
  const second = made({ id: 'two', sequence: 2 })
  rig.release(second)
  rig.release(made({ id: 'foreign', sequence: 3, tenant: 'other' }))
  rig.release(made({ id: 'one', sequence: 1 }))
  rig.release(made({ id: 'two-again', sequence: 2 }))
  assert.deepEqual(
    rig.deadLetters.map((d) => [d.code, d.field]),
    Array(3).fill(['RELEASE_REFUSED', 'releaseId']),
  )
  rig.release(second)
  assert.equal(rig.deadLetters.length, 3)
  assert.equal(rig.act({ at: START })!.release, 'two')
  rig.restart()
  rig.release(made({ id: 'one', sequence: 1 }))
  assert.equal(rig.deadLetters.length, 4, 'after a restart too')
  rig.release(made({ id: 'three', sequence: 3 }))
  assert.equal(rig.act({ at: START + MINUTE })!.release, 'three')
})

test('a peer group is chosen anew under any next release, also under number 65,536', () => {
  for (const sequence of [1, 65_534, 65_535, 65_536, 131_072]) {
    const rig = new Rig()
    for (let i = 0; i < 20; i++) rig.act({ at: START + i * MINUTE })
    rig.release(strictRelease(rig.config, false, { id: 'r', sequence, peerGroups: [{ name: 'readers', members: 3 }] }))
    rig.act({ at: START + HOUR })
    assert.equal(rig.view().u8(H.peer), 1, `${sequence}`)
  }
})

test('what an exception or a window keeps quiet is not learned; what a verdict calls safe is', () => {
  const until = (at: number) => new Date(at).toISOString()
  const at = START + 12 * DAY
  const policies: PolicyInput[] = [
    { exceptions: [{ id: 'x', identities: '*', expires: until(at + 30 * DAY), reason: 'pilot', author: 'me' }] },
    { maintenance: [{ name: 'upgrade', from: until(at), to: until(at + 30 * DAY) }] },
  ]
  for (const policy of policies) {
    const rig = new Rig({ config: { tailFloor: 0.02 } })
    work(rig, 12)
    rig.strict()
    rig.policy(policy)
    const before = rig.learned()
    for (let i = 0; i < 20; i++) {
      const row = rig.act(odd(at + i * MINUTE))!
      assert.equal(
        row.flags & (SCORED_FLAGS.learned | SCORED_FLAGS.withheld | SCORED_FLAGS.excepted),
        SCORED_FLAGS.withheld | SCORED_FLAGS.excepted,
      )
    }
    assert.equal(rig.learned(), before)
    assert.deepEqual(rig.alerts, [])
    // When the statement ends, the act is as unusual as it was.
    rig.policy({})
    rig.act(odd(at + HOUR))
    assert.equal(flagged(rig), SCORED_FLAGS.alerted)
  }
})

test('safe: what was judged counts for nothing at another hour or from elsewhere, unless what is new is enough by itself', () => {
  const { rig, at } = alerted()
  judge(rig, 'safe', [odd(at)])
  rig.act(odd(at + 2 * DAY + 13 * HOUR))
  assert.equal(flagged(rig) & SCORED_FLAGS.alerted, 0, 'an odd hour alone')
  rig.act(odd(at + 3 * DAY, { destination: 'b.example.org', action: 'vault.dump', class: 'vault', bytesOut: 4e9 }))
  assert.equal(flagged(rig) & SCORED_FLAGS.alerted, SCORED_FLAGS.alerted)
})
