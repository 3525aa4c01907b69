import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRandom, type Random } from '../random.ts'
import { BLIND_SPOTS, checkDataset, type Dataset, driftOf, referenceOf, type Finding } from './index.ts'

const WIDTH = 12
const DAY = 86_400_000
const NAMES = Array.from({ length: WIDTH }, (_, i) => `c${i}`)

/** Days of twenty identities with habits of their own: every row is around its identity's middle. */
const life = (n: number, seed: number, change: (row: Float32Array, i: number, r: Random) => void = () => {}): Dataset => {
  const r = createRandom(seed)
  const rows = new Float32Array(n * WIDTH)
  const identities = new Uint32Array(n)
  for (let i = 0; i < n; i++) {
    const identity = r.below(20)
    identities[i] = identity
    const row = rows.subarray(i * WIDTH, (i + 1) * WIDTH)
    for (let c = 0; c < WIDTH; c++) row[c] = Math.sin(identity * (c + 1)) + r.normal()
    change(row, i, r)
  }
  return { names: NAMES, rows, identities, times: Float64Array.from({ length: n }, (_, i) => (i * 10 * DAY) / n) }
}
const found = (data: Dataset, check: Finding['check'], options = {}): readonly Finding[] =>
  checkDataset(data, options).findings.filter((finding) => finding.check === check)
const worst = (data: Dataset, check: Finding['check'], options = {}): string => found(data, check, options)[0]?.severity ?? 'none'

test('ordinary life passes, and the report says what it cannot say', () => {
  const report = checkDataset(life(3000, 1), { before: referenceOf(life(3000, 2).rows, WIDTH) })
  assert.equal(report.verdict, 'passed', JSON.stringify(report.findings))
  assert.equal(report.blindSpots, BLIND_SPOTS)
  assert.deepEqual(
    report.findings.map(({ check }) => check),
    ['identities'],
  )
  assert.deepEqual(report.skipped, ['leakage: no column says what alerted'])
})

test('the same table gives the same report', () => {
  const options = { before: referenceOf(life(2000, 4).rows, WIDTH) }
  assert.deepEqual(checkDataset(life(2000, 3), options), checkDataset(life(2000, 3), options))
})

test('copies: some are life, a table made of them is none', () => {
  const repeat = (every: number) => life(2000, 5, (row, i) => (i % every === 0 ? row.fill(0.5) : row))
  assert.equal(worst(repeat(50), 'duplicates'), 'note')
  assert.equal(worst(repeat(8), 'duplicates'), 'warning')
  const half = found(repeat(2), 'duplicates')[0]!
  assert.deepEqual([half.severity, half.numbers['largest'], half.numbers['rows']], ['severe', 1000, 999])
  assert.equal(worst(life(2000, 5), 'duplicates'), 'none')
})

test('near copies: the same row with a little noise', () => {
  const noisy = (share: number) =>
    life(2000, 6, (row, i, r) => {
      if (i % 100 < share * 100) for (let c = 0; c < WIDTH; c++) row[c] = 0.3 + r.normal() * 0.01
    })
  assert.equal(worst(life(2000, 6), 'near_duplicates'), 'none')
  assert.equal(worst(noisy(0.1), 'near_duplicates'), 'note')
  assert.equal(worst(noisy(0.6), 'near_duplicates'), 'warning')
})

test('values that are none, columns that never change', () => {
  const broken = life(500, 7, (row, i) => {
    if (i === 77) row[3] = NaN
    if (i === 78) row[3] = Infinity
  })
  const [finding] = found(broken, 'numbers')
  assert.deepEqual([finding?.severity, finding?.columns, finding?.numbers['cells']], ['severe', ['c3'], 2])
  const still = life(500, 7, (row) => (row[9] = 4))
  assert.deepEqual([worst(still, 'constant'), found(still, 'constant')[0]?.columns], ['note', ['c9']])
  assert.equal(worst({ names: NAMES, rows: new Float32Array(500 * WIDTH).fill(1) }, 'constant'), 'severe')
})

test('drift names the column that went elsewhere, and no other', () => {
  const before = referenceOf(life(4000, 8).rows, WIDTH)
  const [finding] = found(
    life(4000, 9, (row) => (row[5] = row[5]! * 2 + 1)),
    'drift',
    { before },
  )
  assert.deepEqual([finding?.severity, finding?.columns], ['warning', ['c5']])
  assert.equal(worst(life(4000, 10), 'drift', { before }), 'none')
  assert.ok(driftOf(life(4000, 10), before).every(({ psi }) => psi < 0.05))
})

test('a flag that was rare and is frequent drifts, though most rows are as before', () => {
  const flags = (share: number, seed: number) => life(4000, seed, (row, _, r) => (row[0] = r.next() < share ? 1 : 0))
  const before = referenceOf(flags(0.01, 11).rows, WIDTH)
  assert.deepEqual(found(flags(0.3, 12), 'drift', { before })[0]?.columns, ['c0'])
  assert.equal(worst(flags(0.01, 13), 'drift', { before }), 'none')
})

/** One in a hundred rows, around a place where nobody is: made by `whose`, from day 5 on for `days`. */
const planted = (whose: (k: number) => number, days: number, noise = 0.05): Dataset => {
  const base = life(4000, 14)
  const identities = Uint32Array.from(base.identities!)
  const times = Float64Array.from(base.times!)
  const r = createRandom(15)
  for (let k = 0; k < 40; k++) {
    const i = 50 + k * 97
    identities[i] = whose(k)
    times[i] = 5 * DAY + (k * days * DAY) / 40
    for (let c = 0; c < WIDTH; c++) base.rows[i * WIDTH + c] = (c % 2 === 0 ? 4 : -4) + r.normal() * noise
  }
  return { ...base, identities, times }
}

test('a dense cluster far from all that one identity made within hours keeps a model from being used', () => {
  const [finding] = found(
    planted(() => 7, 0.5),
    'cluster',
  )
  assert.equal(finding?.severity, 'severe')
  assert.deepEqual([finding?.numbers['identities'], finding?.numbers['identityHash']], [1, 7])
  assert.ok(Math.abs(finding!.numbers['rows']! - 40) < 8, `${finding?.numbers['rows']}`)
  assert.match(finding!.words, /from 1 of 20 identities within 11\.7 hours of 10\.0 days/)
})

test('a cluster that the model in use was trained on already, and one of a few rows, are no reason to keep a model back', () => {
  const data = planted(() => 7, 0.5)
  const known = found(data, 'cluster', { knownUntil: 6 * DAY })[0]
  assert.deepEqual([known?.severity, /was trained on them already/.test(known?.words ?? '')], ['warning', true])
  assert.equal(worst(data, 'cluster', { knownUntil: 5 * DAY }), 'severe')
  const times = data.times!
  const kept = Array.from({ length: 4000 }, (_, i) => i).filter((i) => (i - 50) % 97 !== 0 || i > 50 + 14 * 97 || times[i]! > 6 * DAY)
  const few = { ...data, rows: kept.flatMap((i) => [...data.rows.subarray(i * WIDTH, (i + 1) * WIDTH)]) }
  const small = {
    names: NAMES,
    rows: Float32Array.from(few.rows),
    identities: Uint32Array.from(kept, (i) => data.identities![i]!),
    times: Float64Array.from(kept, (i) => times[i]!),
  }
  assert.equal(worst(small, 'cluster'), 'note')
})

test('the same every night, or of many, is somebody’s job or a new one of all', () => {
  assert.equal(
    worst(
      planted(() => 7, 4.9),
      'cluster',
    ),
    'warning',
  )
  assert.equal(
    worst(
      planted((k) => k % 20, 0.5),
      'cluster',
    ),
    'warning',
  )
  assert.equal(
    worst(
      planted((k) => k % 20, 4.9),
      'cluster',
    ),
    'note',
  )
  assert.equal(worst(life(4000, 14), 'cluster'), 'none')
})

test('rows that alerted are told of when they are in the table, and what resembles those that were taken out', () => {
  const data = life(2000, 16)
  const withheld = new Uint8Array(2000)
  withheld.fill(1, 100, 130)
  const [finding] = found({ ...data, withheld }, 'leakage')
  assert.deepEqual([finding?.severity, finding?.numbers['rows']], ['severe', 30])
  const attack = planted(() => 7, 0.5)
  const copies = attack.rows.slice(50 * WIDTH, 51 * WIDTH)
  assert.ok(found(attack, 'leakage', { leftOut: copies })[0]!.numbers['alike']! > 0.005)
  assert.equal(worst(data, 'leakage', { leftOut: new Float32Array(WIDTH).fill(9) }), 'none')
})

test('one identity that is most of the rows is told of', () => {
  const data = life(2000, 17)
  const identities = data.identities!.map((identity, i) => (i % 3 === 0 ? identity : 3))
  assert.equal(worst({ ...data, identities }, 'identities'), 'warning')
  assert.equal(worst(data, 'identities'), 'note')
})
