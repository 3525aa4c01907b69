import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FileRecord, readEvents } from '@plumbline/adapters/files'
import { policyHash } from '@plumbline/detector'
import { DEFAULT_DETECTION_CONFIG, Policy, type PolicyInput } from '@plumbline/schemas'
import { evaluate, type ScoreLine } from './evaluate.ts'

const DAY = Date.UTC(2026, 5, 1)

/** Three clerks who read the same shop all day; B adds what is given. */
const clerks = function* (from: number, count: number): Generator<string> {
  for (let i = 0; i < count; i++) {
    const who = `clerk-${i % 3}`
    yield JSON.stringify({
      id: `e${from + i}`,
      time: DAY + (from + i) * 60_000,
      identity: { id: who, kind: 'agent' },
      session: `s${Math.floor((from + i) / 30)}-${who}`,
      action: i % 5 === 0 ? 'orders.list' : 'orders.read',
      resource: { id: `order/${(i * 7919) % 400}`, class: 'orders' },
      bytesIn: 800 + ((i * 31) % 97),
      bytesOut: 100 + ((i * 17) % 29),
    })
  }
}

const theft = (at: number, session: string): string =>
  JSON.stringify({
    id: `bad${at}`,
    time: DAY + at * 60_000,
    identity: { id: 'clerk-0', kind: 'agent' },
    session,
    action: 'payroll.export',
    resource: { id: 'payroll/all', class: 'payroll', sensitivity: 3 },
    destination: 'files.example.net',
    bytesOut: 900_000_000,
  })

const file = (lines: Iterable<string>): AsyncIterable<FileRecord> => {
  const bytes = Buffer.from(`${[...lines].join('\n')}\n`)
  return readEvents(
    (async function* () {
      yield bytes
    })(),
    { format: 'native' },
  )
}

const run = async (train: readonly string[], probe: readonly string[], learn: 'frozen' | 'online' = 'frozen', input?: PolicyInput) => {
  const lines: ScoreLine[] = []
  const parsed = input === undefined ? undefined : Policy.parse(input)
  const summary = await evaluate({
    train: file(train),
    test: file(probe),
    learn,
    config: DEFAULT_DETECTION_CONFIG,
    policy: parsed === undefined ? undefined : { policy: parsed, hash: policyHash(parsed) },
    write: (line) => void lines.push(line),
  })
  return { lines, summary }
}

const A = [...clerks(0, 900)]
const PROBE = [...clerks(900, 60), 'not json', '{"id":"x"}', theft(1000, 'new')]
const first = run(A, PROBE)

test('one line per line of B, in its order; what is refused has no score and a code', async () => {
  const { lines, summary } = await first
  assert.equal(lines.length, PROBE.length)
  assert.deepEqual(
    lines.slice(60, 62).map((l) => [l.event, l.score, l.error]),
    [
      ['60', null, 'JSON_SYNTAX'],
      ['61', null, 'FIELD_MISSING'],
    ],
  )
  assert.deepEqual(summary.releases, ['default-r2'])
  assert.deepEqual(summary.test.codes, { JSON_SYNTAX: 1, FIELD_MISSING: 1 })
  const usual = lines.slice(0, 60).map((l) => l.score ?? 100)
  const bad = lines.at(-1)
  assert.equal(bad?.event, 'bad1000')
  assert.ok((bad?.score ?? 0) > Math.max(...usual), `${bad?.score} against ${Math.max(...usual)}`)
  assert.equal(bad?.time, new Date(DAY + 1000 * 60_000).toISOString())
})

test('the same input gives the same lines', async () => {
  assert.deepEqual((await run(A, PROBE)).lines, (await first).lines)
})

test('frozen: a stranger in B stays one; online: it becomes known', async () => {
  const stranger = [...clerks(900, 90)].map((line) => line.replaceAll(/clerk-\d/g, 'newcomer'))
  const last = async (learn: 'frozen' | 'online') => (await run(A, stranger, learn)).lines.slice(-20).map((l) => l.score ?? 0)
  const frozen = (await last('frozen')).sort((a, b) => a - b)
  const online = (await last('online')).sort((a, b) => a - b)
  assert.ok((online[10] ?? 0) < (frozen[10] ?? 0), `median online ${online[10]}, frozen ${frozen[10]}`)
})

test('no session spans A and B: a session id of A starts anew in B', async () => {
  const ongoing = (JSON.parse(A.at(-1) ?? '{}') as { session: string }).session
  const next = (session: string) => [JSON.stringify({ ...(JSON.parse([...clerks(900, 1)][0] ?? '') as object), session })]
  const [same] = (await run(A, next(ongoing))).lines
  const [fresh] = (await run(A, next('never-seen'))).lines
  assert.equal(same?.session, ongoing)
  assert.equal(same?.score, fresh?.score)
})

test('a policy is in force from the first event of A on, for every tenant', async () => {
  const deny: PolicyInput = { rules: [{ id: 'r', identities: 'clerk-1', effect: 'deny', classes: ['orders'] }] }
  const other = [...clerks(900, 30)].map((line) => JSON.stringify({ ...(JSON.parse(line) as object), tenant: 'other' }))
  const { lines, summary } = await run(A, [...clerks(960, 30), ...other], 'frozen', deny)
  assert.ok(summary.train.alerts > 0)
  for (const half of [lines.slice(0, 30), lines.slice(30)]) {
    assert.deepEqual(new Set(half.filter((l) => l.alert).map((l) => l.identity)), new Set(['clerk-1']))
    assert.equal(half.filter((l) => l.alert).length, 10)
  }
  assert.equal((await first).summary.train.alerts, 0)
})
