import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DetectionConfig, FEATURE_COUNT, FEATURES } from '@plumbline/schemas'
import { compareReleases, WORSE, worseThan } from './promotion.ts'
import { createRandom, type Random } from './random.ts'
import { buildRelease } from './release-builder.ts'
import { type HeldOut, type ShadowScore, shadowScore } from './shadow.ts'

const DAY = 86_400_000

/** Rows of life: surprises are exponential and hang together by two moods; the rest lies where it may. */
const life = (n: number, seed: number, change: (row: Float32Array, r: Random) => void = () => {}): HeldOut => {
  const r = createRandom(seed)
  const rows = new Float32Array(n * FEATURE_COUNT)
  for (let i = 0; i < n; i++) {
    const row = rows.subarray(i * FEATURE_COUNT, (i + 1) * FEATURE_COUNT)
    const moods = [r.next(), r.next()]
    FEATURES.forEach((f, k) => {
      const amount = -Math.log(1 - r.next()) * 0.4 + 2 * moods[k % 2]!
      row[k] = f.surprise ? Math.min(20, amount) : Math.max(f.range[0], Math.min(f.range[1], moods[(k + 1) % 2]! + r.normal() * 0.1))
    })
    change(row, r)
  }
  return { rows, alerted: new Uint8Array(n), groups: Uint32Array.from({ length: n }, (_, i) => i), days: n / 1000 }
}

const build = async (history: HeldOut, sequence: number): Promise<Uint8Array> => {
  const built = await buildRelease({
    tenant: 't',
    sequence,
    ...history,
    eventsPerDay: 1000,
    slots: [],
    groupNames: new Map(),
    config: DetectionConfig.parse({}),
    seed: 0,
    createdFrom: { positions: {}, events: history.alerted.length, fromTime: 0, toTime: DAY },
    withModel: true,
  })
  return built.bytes
}

const heldOut = life(3000, 99)
const [before, fresh, blind, broken] = await Promise.all([
  build(life(3000, 1), 1),
  build(life(4000, 2), 2),
  // Trained where deviations are part of life: they are nothing to it.
  build(
    life(4000, 3, (row, r) => {
      if (r.next() < 0.15) FEATURES.forEach((f, k) => f.surprise && (row[k] = Math.min(20, row[k]! + 8 * r.next())))
    }),
    3,
  ),
  // Trained on columns that are not where they belong.
  build(
    life(4000, 4, (row) => row.reverse()),
    4,
  ),
])

test('a release of the same life is as good: calibrated on rows that it never saw, and may be put into use', () => {
  const { candidate, worse, inForce, rows } = compareReleases(fresh, before, heldOut)
  assert.deepEqual([worse, inForce, rows], [[], 't-r1', 3000])
  assert.ok(candidate.exceedance2 > 0.4 && candidate.exceedance2 < 2.5, `${candidate.exceedance2}`)
  assert.ok(candidate.detection > 0.2 && candidate.detection < 1, `${candidate.detection}`)
  assert.ok(candidate.byFamily['volume']! > 0.2, JSON.stringify(candidate.byFamily))
})

test('the same rows and releases give the same figures', () => {
  assert.deepEqual(compareReleases(fresh, before, heldOut), compareReleases(fresh, before, heldOut))
})

test('one that learned attacks as life is worse, and it is said how', () => {
  const { worse } = compareReleases(blind, before, heldOut)
  assert.ok(worse.length > 0)
  assert.match(worse.join('; '), /finds \d+\.\d % of synthetic deviations|reconstructs new rows|happens 0\.\d+ times as often/)
})

test('one of mixed-up columns is worse in every way', () => {
  const { worse } = compareReleases(broken, before, heldOut)
  assert.match(worse.join('; '), /reconstructs new rows \d+\.\d\d times as badly/)
  assert.match(worse.join('; '), /what it calls one in a hundred happens/)
})

test('what alerted counts once per group: an attack among the held-out rows does not judge the release', () => {
  const attack = life(2000, 98)
  const alerted = new Uint8Array(2000)
  const groups = Uint32Array.from(attack.groups)
  for (let i = 0; i < 200; i++) {
    attack.rows.fill(15, (i * 10 + 3) * FEATURE_COUNT, (i * 10 + 4) * FEATURE_COUNT)
    alerted[i * 10 + 3] = 2
    groups[i * 10 + 3] = 7_000_000
  }
  assert.ok(shadowScore(fresh, { ...attack, alerted, groups }).exceedance2 < 3)
  assert.ok(shadowScore(fresh, attack).exceedance2 > 5)
})

const good: ShadowScore = { exceedance2: 1, exceedance3: 1, groupsPerDay: 1, loss: 0.5, detection: 0.6, byFamily: {} }

test('each measure by itself keeps a release back, and chance does not', () => {
  const worse = (change: Partial<ShadowScore>, rows = 10_000): number => worseThan({ ...good, ...change }, good, rows).length
  assert.equal(worse({}), 0)
  assert.equal(worse({ detection: 0.6 - WORSE.detection }), 0)
  assert.equal(worse({ detection: 0.6 - WORSE.detection - WORSE.detectionScatter / 100 - 0.001 }), 1)
  assert.equal(worse({ detection: 0.53 }, 400), 0, 'few rows scatter more')
  assert.equal(worse({ loss: 0.6 }), 1)
  assert.equal(worse({ exceedance2: 3 }), 1)
  assert.equal(worse({ exceedance2: 0.3 }), 1)
  assert.deepEqual([worse({ exceedance3: 9 }), worse({ exceedance3: 9 }, 9000)], [1, 0])
  assert.equal(worse({ exceedance2: 9 }, 2000), 0)
  assert.deepEqual([worse({ groupsPerDay: 4 }), worse({ groupsPerDay: 4.1 })], [0, 1])
  assert.equal(
    worseThan({ ...good, exceedance2: 9 }, { ...good, exceedance2: 8 }, 10_000).length,
    0,
    'what is as far off as before is not worse',
  )
})
