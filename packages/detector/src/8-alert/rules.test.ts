import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Act, DAY, feature, HOUR, MINUTE, Rig, START, work } from '../rig.testkit.ts'

// Each rule once where it speaks and once where one of its conditions fails.

const maturing = (act: Partial<Act> = {}, days = 12): { readonly rig: Rig; readonly end: number } => {
  const rig = new Rig({ config: { tailFloor: 0 } })
  const end = work(rig, days, 30, act)
  rig.strict()
  return { rig, end }
}
const families = (rig: Rig): string[] => [...new Set(rig.alerts.map((a) => a.family))]

test('rule policy: a denied class alerts at once, an allowed one does not', () => {
  const rig = new Rig({ config: { tailFloor: 0 } })
  rig.policy({
    rules: [
      { id: 'no-hr', identities: 'b*', effect: 'deny', action: 'read', classes: ['hr'] },
      { id: 'hr', identities: 'c*', effect: 'allow', classes: ['hr'] },
    ],
  })
  rig.act({ at: START, who: 'cot', class: 'hr' })
  rig.act({ at: START, who: 'bot', class: 'crm' })
  rig.act({ at: START, who: 'bot', class: 'hr', action: 'hr.update' })
  assert.equal(rig.alerts.length, 0)
  rig.act({ at: START, who: 'bot', class: 'hr', action: 'hr.read' })
  assert.deepEqual(families(rig), ['policy'])
  const alert = rig.alerts.at(-1)
  assert.equal(alert?.facts.reasons[0]?.trigger, 'no-hr')
  assert.ok(alert?.critical)
})

const steal = (at: number, session: string, order: readonly number[]): Act[] => {
  const steps: Omit<Act, 'at'>[] = [
    { action: 'web.fetch', class: 'web', content: { untrusted: true } },
    { action: 'hr.read', class: 'hr', sensitivity: 3 },
    { action: 'mail.send', class: 'mail', destination: 'drop.example.net', destinationProvenance: 'tool', bytesOut: 40_000 },
  ]
  return order.map((step, i) => ({ at: at + i * MINUTE, session, ...steps[step]! }))
}

test('rule toxic_flow: outside text, then sensitive read, then outside write, in this order and in one session', () => {
  const inOrder = maturing()
  for (const act of steal(inOrder.end, 'x', [0, 1, 2])) inOrder.rig.act(act)
  assert.ok(families(inOrder.rig).includes('toxic_flow'))
  assert.equal(inOrder.rig.alerts.find((a) => a.family === 'toxic_flow')?.severity, 'critical')
  const other = maturing()
  for (const act of steal(other.end, 'x', [1, 0, 2])) other.rig.act(act)
  const apart = maturing()
  steal(apart.end, 'x', [0, 1, 2]).forEach((act, i) => apart.rig.act({ ...act, session: `x${i}` }))
  const asked = maturing()
  for (const act of steal(asked.end, 'x', [0, 1, 2]))
    asked.rig.act({ ...act, ...(act.destination === undefined ? {} : { destinationProvenance: 'user' }) })
  for (const { rig } of [other, apart, asked]) assert.ok(!families(rig).includes('toxic_flow'))
})

test('rule sensitive_access: the first use of a restricted class by an identity that is known', () => {
  const act: Omit<Act, 'at'> = { action: 'hr.read', class: 'hr', sensitivity: 3, resource: 'salaries', session: 'new', bytesIn: 2e7 }
  const known = maturing()
  known.rig.act({ at: known.end, ...act })
  assert.deepEqual(families(known.rig), ['sensitive_access'])
  const stranger = maturing({}, 1)
  stranger.rig.act({ at: stranger.end, ...act })
  const usual = maturing({ class: 'hr' })
  usual.rig.act({ at: usual.end, ...act })
  const harmless = maturing()
  harmless.rig.act({ at: harmless.end, ...act, sensitivity: 1 })
  for (const { rig } of [stranger, usual, harmless]) assert.ok(!families(rig).includes('sensitive_access'))
})

test('rule probing: denied twice, then let in, on something sensitive', () => {
  const probe = (denials: number, sensitivity: number): Rig => {
    const { rig, end } = maturing()
    const act: Omit<Act, 'at'> = { action: 'iam.read', class: 'iam', sensitivity, session: 'p', resource: 'keys' }
    for (let i = 0; i < denials; i++) rig.act({ at: end + i * MINUTE, ...act, outcome: 'denied' })
    const row = rig.act({ at: end + 5 * MINUTE, ...act, bytesIn: 4e7 })!
    assert.equal(feature(row, 'denied_then_allowed'), denials >= 2 ? 1 : 0)
    return rig
  }
  assert.ok(families(probe(4, 2)).includes('probing'))
  assert.ok(!families(probe(1, 2)).includes('probing'))
  assert.ok(!families(probe(4, 1)).includes('probing'))
})

test('rule volume: far more than ever to a place outside that is not used', () => {
  const upload = (change: Partial<Act>): string[] => {
    const rig = new Rig({ config: { tailFloor: 0 } })
    const end = START + 12 * DAY
    for (let day = 0; day < 12; day++)
      work(rig, 1, 30, { bytesOut: [300, 3000, 100_000][day % 3]!, destination: 'partner.example.com' }, START + day * DAY)
    rig.strict()
    rig.act({ at: end, action: 'files.upload', class: 'files', destination: 'store.example.net', bytesOut: 9e9, ...change })
    return families(rig)
  }
  assert.deepEqual(upload({}), ['volume'])
  assert.deepEqual(upload({ bytesOut: 20_000_000 }), [], 'too small to wake anybody')
  assert.deepEqual(upload({ destination: '/srv/share/x' }), ['volume'], 'inside, and far beyond its hours')
  assert.deepEqual(upload({ destination: '/srv/share/x', bytesOut: 26_000_000 }), [], 'inside')
  const usual = { destination: 'partner.example.com', action: 'crm.read', class: 'crm' }
  assert.deepEqual(upload({ ...usual, bytesOut: 26_000_000 }), [], 'a place it uses')
  assert.deepEqual(upload({ bytesOut: 26_000_000 }), ['volume'], 'one that it does not')
})

test('rule volume, rule drift: a robot whose hours are alike sends more than they allow, at once or hour after hour', () => {
  const sends = (usual: number, hours: number, more: number, pauseMs = 15 * MINUTE): string[] => {
    const rig = new Rig({ config: { tailFloor: 0 } })
    for (let i = 0; i < 8 * 96; i++) rig.act({ at: START + i * 15 * MINUTE, bytesOut: usual * (1 + (i % 4) / 20) })
    rig.strict()
    for (let i = 0; i < (hours * HOUR) / pauseMs; i++)
      rig.act({ at: START + 8 * DAY + i * pauseMs, bytesOut: more * usual * (1 + (i % 4) / 20) })
    return families(rig)
  }
  assert.deepEqual(sends(3000, 1, 4), ['volume'])
  assert.deepEqual(sends(3000, 1, 1.3), [], 'an hour of a little more is life')
  assert.deepEqual(sends(3000, 14, 1.3), ['drift'])
  assert.deepEqual(sends(3000, 14, 1), [])
  assert.deepEqual(sends(0, 1, 4), [], 'it never sent anything')
})

test('rule volume: reads of an hour far beyond its hours, in whatever pieces', () => {
  const reads = (bytes: number, pieces: number, usual: Partial<Act> = {}): string[] => {
    const { rig, end } = maturing({ bytesIn: 2000, ...usual })
    for (let i = 0; i < pieces; i++) rig.act({ at: end + i * MINUTE, session: 'r', ...usual, bytesIn: Math.round(bytes / pieces) })
    return families(rig)
  }
  assert.deepEqual(reads(2e9, 1), ['volume'])
  assert.deepEqual(reads(2e9, 12), ['volume'])
  assert.deepEqual(reads(20_000_000, 1, { delegation: [{ id: 'u-1', kind: 'user' }] }), [], 'too little to wake anybody')
  assert.deepEqual(reads(2e9, 1, { bytesIn: 5e8 }), [], 'as it does')
})

test('rule probing: refused or failing all the hour, whatever it is; once in a while is life', () => {
  const turnedAway = (outcome: 'denied' | 'failure', times: number): string[] => {
    const { rig, end } = maturing()
    for (let i = 0; i < times; i++) rig.act({ at: end + i * MINUTE, session: `d${i}`, outcome })
    return families(rig)
  }
  for (const outcome of ['denied', 'failure'] as const) {
    assert.deepEqual(turnedAway(outcome, 30), ['probing'])
    assert.deepEqual(turnedAway(outcome, 3), [])
  }
})

test('rule sensitive_access: restricted reads of an hour count over sessions, with tools of its own', () => {
  const reads = (times: number, sensitivity: 1 | 3): string[] => {
    const { rig, end } = maturing()
    for (let i = 0; i < times; i++) rig.act({ at: end + i * MINUTE, session: `s${i}`, class: 'hr', sensitivity })
    return families(rig)
  }
  assert.deepEqual(reads(15, 3), ['sensitive_access'])
  assert.ok(!reads(15, 1).includes('sensitive_access'))
})

test('rule source: another client and acts that are not its own; one of the two is no news', () => {
  const acts = (change: Partial<Act>): string[] => {
    const { rig, end } = maturing({ source: { userAgent: 'agent/1' } }, 20)
    for (let i = 0; i < 3; i++) rig.act({ at: end + i * MINUTE, session: 'a', source: { userAgent: 'agent/1' }, ...change })
    return families(rig)
  }
  assert.ok(acts({ source: { userAgent: 'curl/8' }, action: 'iam.list', class: 'iam' }).includes('source'))
  assert.ok(!acts({ source: { userAgent: 'curl/8' } }).includes('source'))
  assert.ok(!acts({ action: 'iam.list', class: 'iam' }).includes('source'))
})

test('rule off_hours: a person who does much in one sitting at night, not one who looks in', () => {
  const night = (acts: number, kind: 'user' | 'agent' = 'user', hour = 2): string[] => {
    const { rig } = maturing({ kind }, 100)
    for (let i = 0; i < acts; i++)
      rig.act({
        at: START - 9 * HOUR + 100 * DAY + hour * HOUR + i * 6 * MINUTE,
        kind,
        session: 'n',
        action: i % 3 === 0 ? 'crm.search' : 'crm.read',
      })
    return families(rig)
  }
  assert.deepEqual(night(18), ['off_hours'])
  assert.deepEqual(night(17), [], 'paged')
  assert.deepEqual(night(18, 'agent'), [])
  assert.deepEqual(night(18, 'user', 9), [])
})

test('rules on rate: minutes far beyond all that was', () => {
  const burst = (pauseMs: number): Rig => {
    const rig = new Rig({ config: { tailFloor: 0 } })
    for (let i = 0; i < 6 * 96; i++) rig.act({ at: START + i * 15 * MINUTE })
    for (let i = 0; i < 120; i++) rig.act({ at: START + 6 * DAY + i * pauseMs })
    return rig
  }
  const fast = burst(100)
  assert.deepEqual(families(fast), ['rate'])
  for (const { facts } of fast.alerts) assert.match(facts.reasons[0]!.feature, /^rate_(minute|hour)$/, 'told by its number')
  assert.deepEqual(families(burst(15 * MINUTE)), [])
})

test('an exception for one family does not cover what else the same act is', () => {
  const fastAndMuch = (family: 'rate' | 'volume' | null): string[] => {
    const { rig, end } = maturing({ bytesIn: 2000 })
    const about = { identities: '*', reason: 'a migration', author: 'ops', expires: '2030-01-01T00:00:00Z' }
    if (family !== null) rig.policy({ exceptions: [{ id: 'x', families: [family], ...about }] })
    for (let i = 0; i < 120; i++) rig.act({ at: end + i * 1000, session: 'r' })
    // The pace has the word; this is also far more than an hour of it reads.
    rig.act({ at: end + 120_000, session: 'r', bytesIn: 900_000_000 })
    for (const { family: told, facts } of rig.alerts) if (told === 'rate') assert.match(facts.reasons[0]!.feature, /^rate_(minute|hour)$/)
    return families(rig)
  }
  assert.deepEqual(fastAndMuch(null), ['rate'])
  assert.deepEqual(fastAndMuch('rate'), ['volume'])
  assert.deepEqual(fastAndMuch('volume'), ['rate'])
})
