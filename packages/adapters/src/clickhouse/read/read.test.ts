import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Alert, EventView, IdentityView, type Incident, SCORED_FLAGS, type Severity } from '@plumbline/schemas'
import { type Engine, type Store, connect, engineProblem, migrate, startEngine } from '../index.ts'
import { alertReader, eventReader, identityReader, incidentReader, verdictReader, wilson } from './index.ts'
import { seed } from './seed.testkit.ts'

const missing = engineProblem()
const skip = missing === undefined ? false : `no ClickHouse engine here: ${missing.message}`
const HOUR = 3_600_000
const START = Date.UTC(2026, 9, 1, 8)

let engine: Engine
let owner: Store
let reader: Store
const dir = mkdtempSync(join(tmpdir(), 'plumbline-read-'))

before(async () => {
  if (skip !== false) return
  engine = await startEngine({ dir })
  owner = connect({ url: engine.url, user: 'owner', password: engine.passwords.owner })
  reader = connect({ url: engine.url, user: 'reader', password: engine.passwords.reader })
  await migrate(owner)
})

after(async () => {
  if (skip === false) {
    await owner.close()
    await reader.close()
    await engine.stop()
  }
  rmSync(dir, { recursive: true, force: true })
})

interface Made {
  readonly id: string
  readonly tenant?: string
  readonly identity?: string
  readonly severity?: Severity
  readonly revision?: number
  readonly score?: number
  readonly firstSeen?: number
  readonly lastSeen?: number
  readonly historic?: boolean
}

function alert(made: Made): Alert {
  const firstSeen = made.firstSeen ?? START
  const position = { topic: 'plumbline.events', shard: 1, offset: 5 }
  return {
    v: 1,
    id: made.id,
    revision: made.revision ?? 1,
    activity: 'create',
    family: 'volume',
    groupKey: made.id,
    severity: made.severity ?? 'high',
    score: made.score ?? 90,
    risk: 80,
    critical: false,
    historic: made.historic ?? false,
    facts: {
      tenant: made.tenant ?? 't-1',
      identity: { id: made.identity ?? 'agent-1', kind: 'agent', owner: 'Research', criticality: 2 },
      action: 'upload',
      resource: { class: 'files' },
      outcome: 'success',
      time: firstSeen,
      reasons: [{ family: 'volume', feature: 'f', observed: { value: 3e9, unit: 'bytes', perMs: HOUR }, weight: 1 }],
      baseline: { days: 9, events: 100, maturity: 0.5, peerGroup: 'research', peers: 3, modelled: false },
      tailProbability: 1e-6,
      notVisible: [],
    },
    text: { headline: `h ${made.id} r${made.revision ?? 1}`, normal: 'n', why: 'w', certainty: 'c', firstStep: 's' },
    techniques: [],
    firstSeen,
    lastSeen: made.lastSeen ?? firstSeen,
    count: 1,
    suppressed: 0,
    evidence: [position],
    replay: { position, releaseId: 'r0', stateVersion: 1, configHash: 'c', policyHash: 'p', detectorVersion: 'd', catalogueHash: 'f' },
  }
}

test('alerts come in their highest revision, filtered, in order, page by page', { skip }, async () => {
  const all = Array.from({ length: 23 }, (_, i) =>
    alert({ id: `p-${String(i).padStart(2, '0')}`, tenant: 'pages', firstSeen: START + Math.floor(i / 4) * 1000 }),
  )
  await seed.alerts(owner, all)
  await seed.alerts(owner, [alert({ id: 'p-03', tenant: 'pages', revision: 2, severity: 'critical', lastSeen: START + HOUR })])
  await seed.alerts(owner, [alert({ id: 'p-03', tenant: 'pages', revision: 2, severity: 'critical', lastSeen: START + HOUR })])
  const alerts = alertReader(reader)
  const seen: string[] = []
  let after: { firstSeen: number; id: string; score: number } | null = null
  for (;;) {
    const page: Awaited<ReturnType<typeof alerts.page>> = await alerts.page({ tenants: ['pages'], historic: false, sort: 'time' }, after, 5)
    seen.push(...page.map((each) => each.id))
    const last = page.at(-1)
    if (last === undefined) break
    after = last
  }
  const expected = all.toSorted((a, b) => b.firstSeen - a.firstSeen || (a.id < b.id ? 1 : -1)).map((each) => each.id)
  assert.deepEqual(seen, expected)
  const critical = await alerts.page({ tenants: ['pages'], historic: false, sort: 'time', minSeverity: 'critical' }, null, 10)
  assert.deepEqual(
    critical.map((each) => [each.id, each.revision, each.text.headline]),
    [['p-03', 2, 'h p-03 r2']],
  )
  assert.equal((await alerts.page({ tenants: ['pages'], historic: false, sort: 'time', since: START + HOUR }, null, 10)).length, 1)
  assert.equal((await alerts.page({ tenants: ['pages'], historic: true, sort: 'time' }, null, 10)).length, 0)
})

test('what was held back is found worst first, page by page, by its newest revision', { skip }, async () => {
  const tenants = ['ranked']
  const scores = [71.3, 99.9, 71.3, 50, 99.9, 88.8, 12.34]
  const made = scores.map((score, i) => alert({ id: `r-${i}`, tenant: 'ranked', firstSeen: START + i, score }))
  await seed.alerts(owner, made, 'held')
  await seed.alerts(owner, [alert({ id: 'sent', tenant: 'ranked', score: 100 })], 'delivered')
  // The first critical of its kind later: let out. And one that became worse.
  await seed.alerts(owner, [alert({ id: 'r-4', tenant: 'ranked', firstSeen: START + 4, score: 99.9, revision: 2 })], 'delivered')
  await seed.alerts(owner, [alert({ id: 'r-3', tenant: 'ranked', firstSeen: START + 3, score: 90, revision: 2 })], 'held')
  const alerts = alertReader(reader)
  const seen: string[] = []
  for (let after: Awaited<ReturnType<typeof alerts.page>>[number] | null = null; ; ) {
    const page: Awaited<ReturnType<typeof alerts.page>> = await alerts.page(
      { tenants, historic: false, delivery: 'held', sort: 'score' },
      after,
      2,
    )
    seen.push(...page.map(({ id, score }) => `${id} ${score}`))
    after = page.at(-1) ?? null
    if (after === null) break
  }
  assert.deepEqual(seen, ['r-1 99.9', 'r-3 90', 'r-5 88.8', 'r-2 71.3', 'r-0 71.3', 'r-6 12.34'])
  const delivered = await alerts.page({ tenants, historic: false, delivery: 'delivered', sort: 'score' }, null, 10)
  assert.deepEqual(
    delivered.map(({ id }) => id),
    ['sent', 'r-4'],
  )
  assert.equal((await alerts.page({ tenants, historic: false, sort: 'time' }, null, 10)).length, 8)
})

test('verdicts are counted against delivered alerts, the newest of each, and say what share was no finding', { skip }, async () => {
  const made = Array.from({ length: 9 }, (_, i) => alert({ id: `j-${i}`, tenant: 'judged', lastSeen: START + i }))
  await seed.alerts(owner, made)
  await seed.alerts(owner, [alert({ id: 'j-held', tenant: 'judged' })], 'held')
  await seed.alerts(owner, [alert({ id: 'j-old', tenant: 'judged', historic: true })], 'historic')
  await seed.alerts(owner, [alert({ id: 'j-0', tenant: 'elsewhere' })])
  let sequence = 100
  const judge = (i: number, verdict: 'confirmed' | 'safe' | 'dismissed') => seed.verdict(owner, ++sequence, made[i]!, verdict)
  await judge(0, 'confirmed')
  await judge(1, 'safe')
  await judge(2, 'dismissed')
  await judge(3, 'dismissed')
  await judge(3, 'confirmed')
  const { all, families } = await verdictReader(reader).summary({ tenants: ['judged'], since: START })
  assert.deepEqual({ ...all, falseDiscovery: null }, { alerts: 9, judged: 4, confirmed: 2, safe: 1, dismissed: 1, falseDiscovery: null })
  assert.deepEqual(all.falseDiscovery, wilson(2, 4))
  assert.deepEqual(families, [{ family: 'volume', ...all }])
  const later = await verdictReader(reader).summary({ tenants: ['judged'], since: START + 3 })
  assert.deepEqual([later.all.alerts, later.all.judged, later.all.falseDiscovery?.rate], [6, 1, 0])
  const nobody = await verdictReader(reader).summary({ tenants: ['nobody'], since: 0 })
  assert.deepEqual([nobody.all.alerts, nobody.all.falseDiscovery, nobody.families], [0, null, []])
})

test('the interval of a share is that of Wilson', () => {
  // By hand from the formula, z = 1.959964.
  const [none, half] = [wilson(0, 10)!, wilson(5, 10)!]
  assert.deepEqual([none.low, none.high.toFixed(4), half.low.toFixed(4), half.high.toFixed(4)], [0, '0.2775', '0.2366', '0.7634'])
})

test('one alert carries its delivery and its newest verdict', { skip }, async () => {
  const one = alert({ id: 'verdict-1', tenant: 'verdicts' })
  await seed.alerts(owner, [one], 'held')
  await seed.verdict(owner, 1, one, 'confirmed')
  await seed.verdict(owner, 2, one, 'safe')
  const alerts = alertReader(reader)
  const found = await alerts.find('verdict-1')
  assert.equal(found?.verdict, 'safe')
  assert.equal(found?.delivery, 'held')
  assert.deepEqual({ ...found, delivery: undefined, verdict: undefined }, { ...one, delivery: undefined, verdict: undefined })
  assert.equal(await alerts.find('none'), null)
})

test('what callers pass is data, never SQL (B18)', { skip }, async () => {
  const hostile = "x' OR 1=1; DROP TABLE plumbline.alerts --\\'"
  const odd = alert({ id: 'odd', tenant: hostile, identity: hostile })
  await seed.alerts(owner, [odd])
  const alerts = alertReader(reader)
  assert.deepEqual(
    (await alerts.page({ tenants: [hostile], identity: hostile, historic: false, sort: 'time' }, null, 10)).map((each) => each.id),
    ['odd'],
  )
  assert.equal(await alerts.find(hostile), null)
  assert.equal(await identityReader(reader).find(hostile, hostile), null)
  assert.deepEqual(await identityReader(reader).list(null, hostile, 10), [])
  assert.deepEqual(await eventReader(reader).newest(hostile, hostile, hostile, 10), [])
  await assert.rejects(reader.command('DROP TABLE plumbline.alerts'), 'the reader cannot change anything')
})

test('events behind an alert, and the newest of a session', { skip }, async () => {
  const events = Array.from({ length: 12 }, (_, i) => ({
    tenant: 'ev',
    identity: 'a',
    time: START + i * 1000,
    shard: 7,
    offset: 100 + i,
    session: i < 6 ? 's-1' : 's-2',
    score: i,
    flags: i === 3 ? 32 + 256 : 4,
  }))
  await seed.events(owner, events)
  await seed.events(owner, events.slice(0, 4))
  const reading = eventReader(reader)
  const found = await reading.at('ev', 'a', [
    { shard: 7, offset: 103 },
    { shard: 7, offset: 101 },
    { shard: 7, offset: 999 },
  ])
  assert.deepEqual(
    found.map((event) => event.offset),
    [101, 103],
  )
  assert.deepEqual(found[1]?.flags, ['alerted', 'withheld'])
  for (const event of found) EventView.parse(event)
  assert.deepEqual(
    (await reading.newest('ev', 'a', undefined, 3)).map((event) => event.offset),
    [111, 110, 109],
  )
  assert.deepEqual(
    (await reading.newest('ev', 'a', 's-1', 10)).map((event) => event.offset),
    [105, 104, 103, 102, 101, 100],
  )
  assert.deepEqual(await reading.at('ev', 'a', []), [])
})

test('an identity with its hours, what it usually does, and its alerts', { skip }, async () => {
  const events = [0, 0, 1, 4].map((hour, i) => ({
    tenant: 'who',
    identity: 'team/agent-1',
    time: START + hour * HOUR + i,
    shard: 2,
    offset: i,
    action: hour === 4 ? 'upload' : 'search',
    destination: ['mail.example', '', '', 'files.example'][i]!,
    bytesOut: 1000 * (i + 1),
    score: 10 * i,
    flags: hour === 4 ? SCORED_FLAGS.alerted | SCORED_FLAGS.withheld : SCORED_FLAGS.learned,
  }))
  await seed.events(owner, events)
  await seed.alerts(owner, [alert({ id: 'who-1', tenant: 'who', identity: 'team/agent-1', firstSeen: START + 4 * HOUR })])
  const identities = identityReader(reader)
  const view = await identities.find('who', 'team/agent-1')
  assert.ok(view !== null)
  IdentityView.parse(view)
  assert.deepEqual(
    view.timeline.map((hour) => [hour.time, hour.events, hour.alerts]),
    [
      [START, 2, 0],
      [START + HOUR, 1, 0],
      [START + 2 * HOUR, 0, 0],
      [START + 3 * HOUR, 0, 0],
      [START + 4 * HOUR, 1, 1],
    ],
  )
  // The upload was reported and not learned: it is not usual.
  assert.deepEqual(view.actions, [{ name: 'search', count: 3 }])
  assert.deepEqual(view.destinations, [{ name: 'mail.example', count: 1 }])
  assert.deepEqual([view.owner, view.peerGroup, view.risk, view.events], ['Research', 'research', 80, 4])
  const described = identityReader(reader, { describe: () => ({ owner: 'Someone else' }) })
  assert.equal((await described.find('who', 'team/agent-1'))?.owner, 'Someone else')
  const list = await identities.list(['nobody', 'who'], 'AGENT', 10)
  assert.deepEqual(await identities.list(['nobody'], 'AGENT', 10), [])
  assert.deepEqual(
    list.map((each) => [each.identity, each.events, each.alerts, each.maxScore]),
    [['team/agent-1', 4, 1, 30]],
  )
  assert.equal(await identities.find('other-tenant', 'team/agent-1'), null)
})

test('refused events with a remedy and a readable start of what arrived', { skip }, async () => {
  const letter = {
    v: 1,
    stage: 'decode',
    code: 'UTF8_INVALID',
    field: 'identity.id',
    message: 'bytes',
    tenant: 'letters',
    topic: 'http',
    shard: 0,
    offset: 0,
    payload: Buffer.from([0x7b, 0xff, 0xfe, 0x22]).toString('base64'),
  } as const
  await seed.deadLetters(owner, [
    { ...letter, ingestTime: START },
    { ...letter, ingestTime: START + 1 },
  ])
  const found = await eventReader(reader).deadLetters(['letters'], undefined, 10)
  assert.deepEqual(
    found.map((each) => each.ingestTime),
    [START + 1, START],
  )
  assert.equal(found[0]?.payloadStart, '{\ufffd\ufffd"')
  assert.match(found[0]?.remedy ?? '', /UTF-8/)
  assert.equal((await eventReader(reader).deadLetters(['letters'], START + 1, 10)).length, 1)
})

const incident = (id: string, change: Partial<Incident> = {}): Incident => ({
  v: 1,
  id,
  revision: 1,
  activity: 'create',
  tenant: 'joined',
  kind: 'common_cause',
  severity: 'medium',
  cause: { kind: 'tool', value: 'pdf.convert', share: 1 },
  also: [],
  identities: [{ id: 'agent-1', kind: 'agent', events: 1, score: 70, firstSeen: START, lastSeen: START }],
  identityCount: 1,
  alerts: [],
  alertCount: 0,
  events: 1,
  evidence: [],
  firstSeen: START,
  lastSeen: START,
  late: false,
  techniques: [],
  text: { headline: 'h', why: 'w', firstStep: 'f' },
  ...change,
})

test('incidents come in their highest revision, the one last seen first, and by what they refer to', { skip }, async () => {
  const worse: Partial<Incident> = { revision: 2, severity: 'critical', lastSeen: START + HOUR, alerts: ['a-1'] }
  await seed.incidents(owner, [incident('i-1', worse), incident('i-1'), incident('i-2', { lastSeen: START + 1, kind: 'split_flow' })])
  await seed.incidents(owner, [incident('other', { tenant: 'else' })])
  const { newest } = incidentReader(reader)
  const ids = async (selection: Parameters<typeof newest>[0], limit = 10): Promise<string[]> =>
    (await newest(selection, limit)).map(({ id, revision }) => `${id}/${revision}`)
  const tenants = ['joined']
  assert.deepEqual(await ids({ tenants }), ['i-1/2', 'i-2/1'])
  assert.deepEqual((await newest({ tenants }, 1))[0], incident('i-1', worse))
  assert.deepEqual(await ids({ tenants: null, before: START + 1 }), ['other/1'])
  assert.deepEqual(await ids({ tenants, minSeverity: 'high' }), ['i-1/2'])
  assert.deepEqual(await ids({ tenants, kind: 'split_flow' }), ['i-2/1'])
  assert.deepEqual(await ids({ tenants, alert: 'a-1' }), ['i-1/2'])
  assert.deepEqual(await ids({ tenants: ['nobody'] }), [])
})
