import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SCORED_FLAGS } from '@plumbline/schemas'
import fc from 'fast-check'
import { DAY, HOUR, MINUTE, Rig, work } from '../rig.testkit.ts'
import {
  A,
  ACTION_SETS,
  ACTIONS,
  ANCHOR,
  bucketsOf,
  H,
  HISTOGRAM_BUCKETS,
  HISTOGRAM_COUNT,
  HISTOGRAM_TOTALS,
  HISTOGRAMS,
  HOURS_TOTAL,
  SLOT_BYTES,
  W_DAY,
  W_HOUR,
  WINDOW_COUNTS,
  WINDOW_METRICS,
} from '../state/layout.ts'

/** Keeps every alert quiet, so that a flood is learned as far as anything can be. */
const quiet = (rig: Rig): void =>
  rig.policy({ exceptions: [{ id: 'all', identities: '*', reason: 'test', author: 'test', expires: '2028-01-01T00:00:00Z' }] })

/** Learned weight that one day of `n` events can have: all up to the usual, then 1/2, 1/3, … of what follows. */
const bound = (n: number, usual = 200): number => (n <= usual ? n : usual * (1 + Math.log(n / usual)) + 1)

const means = (rig: Rig): (readonly [number, number])[] =>
  Array.from({ length: WINDOW_METRICS }, (_, m) => [rig.window(m)[1], rig.window(m)[2]] as const)

test('INV-5 one day, however wild, moves no daily mean by more than the drift budget and the anchor by less', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1500 }), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), (events, bytes) => {
      const rig = new Rig()
      const end = work(rig, 12, 12)
      quiet(rig)
      rig.act({ at: end })
      const before = means(rig)
      const anchor = rig.view().f32(ANCHOR + A.eventsMean)
      const anchorSpread = Math.sqrt(rig.view().f32(ANCHOR + A.eventsVariance) + 0.04)
      const days = rig.view().f32(ANCHOR + A.days)
      for (let i = 0; i < events; i++)
        rig.act({
          at: end + 1000 + i * 50,
          bytesOut: bytes,
          bytesIn: bytes,
          destination: `x${i}.example.com`,
          outcome: i % 3 === 0 ? 'denied' : 'success',
        })
      rig.act({ at: end + DAY })
      const after = means(rig)
      for (let m = W_DAY; m < WINDOW_METRICS; m++) {
        const most = rig.config.dailyDriftBudget * Math.sqrt(before[m]![1] + 0.04)
        assert.ok(
          Math.abs(after[m]![0] - before[m]![0]) <= most + 1e-6,
          `metric ${m} moved by ${after[m]![0] - before[m]![0]}, allowed ${most}`,
        )
      }
      assert.ok(Math.abs(rig.view().f32(ANCHOR + A.eventsMean) - anchor) <= (3 * anchorSpread) / (days + 1) + 1e-6)
    }),
    { seed: 5, numRuns: 8 },
  )
})

test('INV-5 the drift budget of the configuration is the one in force', () => {
  const moved = [0.05, 0.25].map((dailyDriftBudget) => {
    const rig = new Rig({ config: { dailyDriftBudget } })
    const end = work(rig, 9, 12)
    rig.act({ at: end })
    const before = rig.window(W_DAY)
    for (let i = 0; i < 400; i++) rig.act({ at: end + 1000 + i * 50 })
    rig.act({ at: end + DAY })
    return (rig.window(W_DAY)[1] - before[1]) / Math.sqrt(before[2] + 0.04)
  })
  assert.ok(moved[0]! <= 0.05 + 1e-4 && moved[0]! > 0.04, `${moved[0]}`)
  assert.ok(moved[1]! <= 0.25 + 1e-4 && moved[1]! > 0.2, `${moved[1]}`)
})

test('INV-5 one minute and one hour move their means by three spreads divided by their number at most', () => {
  const rig = new Rig()
  const end = work(rig, 8, 30)
  quiet(rig)
  rig.act({ at: end })
  const before = means(rig)
  const counts = [0, 1].map((l) => rig.view().f32(WINDOW_COUNTS + l * 4))
  for (let i = 0; i < 900; i++) rig.act({ at: end + 1000 + i, bytesOut: 1e12, source: { ip: `10.0.${i % 200}.1` }, resource: `r${i}` })
  rig.act({ at: end + HOUR })
  const after = means(rig)
  for (let m = 0; m < W_DAY; m++) {
    const n = m < W_HOUR ? Math.min(counts[0]! + 1, 400) : Math.min(counts[1]! + 1, 200)
    const most = (3 * Math.sqrt(before[m]![1] + 0.04)) / n
    assert.ok(Math.abs(after[m]![0] - before[m]![0]) <= most + 1e-6, `metric ${m}`)
  }
})

test('INV-5 a flood of one day outweighs neither tables nor histograms nor the week', (t) => {
  const rig = new Rig()
  const end = work(rig, 20, 60, { bytesOut: 900, durationMs: 40 })
  quiet(rig)
  rig.act({ at: end, bytesOut: 900, durationMs: 40 })
  const histograms = (): number[] => Array.from({ length: HISTOGRAM_COUNT }, (_, i) => rig.view().f32(HISTOGRAM_TOTALS + i * 4))
  const count = (): number => rig.view().f32(H.learned)
  const learned = count()
  const totals = histograms()
  const hours = rig.view().f32(HOURS_TOTAL)
  const flood = 6000
  for (let i = 0; i < flood; i++)
    rig.act({ at: end + 1000 + i * 100, action: 'crm.export', bytesOut: 5e8, durationMs: 9000, tokensOut: 50 })
  const most = bound(flood)
  t.diagnostic(
    `${flood} events weigh ${(count() - learned).toFixed(0)}, at most ${most.toFixed(0)}; histogram of sizes ${histograms()[0]! - totals[0]!}`,
  )
  assert.ok(count() - learned <= most)
  for (const [i, total] of histograms().entries())
    assert.ok(total - totals[i]! <= most, `histogram ${i} took ${total - totals[i]!}, at most ${most}`)
  assert.ok(rig.view().f32(HOURS_TOTAL) - hours <= 21)
  assert.ok(count() - learned < learned, 'twenty days of sixty outweigh it')
  for (let i = 0; i < HISTOGRAM_COUNT; i++) {
    let sum = 0
    for (let b = 0; b < bucketsOf(i); b++) sum += rig.view().u16(HISTOGRAMS + (i * HISTOGRAM_BUCKETS + b) * 2)
    assert.equal(sum, histograms()[i], 'the total of a histogram is that of its buckets')
  }
})

test('INV-5 whatever alerts is not learned, nor what is late, repeated or frozen', () => {
  const rig = new Rig({ config: { tailFloor: 0.05 } })
  const end = work(rig, 10)
  const names = (): number => {
    let sum = 0
    for (let set = 0; set < ACTION_SETS; set++) for (let i = 0; i < 8; i++) sum += rig.view().f32(ACTIONS + set * 64 + 32 + i * 4)
    return sum
  }
  rig.act({ at: end })
  const before = names()
  for (let i = 0; i < 40; i++)
    rig.act({ at: end + 1000 * i, action: `payroll.export_${i}`, class: 'payroll', bytesOut: 4e9, destination: `drop${i}.example.net` })
  const withheld = rig.rows.slice(-40).filter((r) => (r.flags & SCORED_FLAGS.alerted) !== 0).length
  assert.ok(withheld >= 35, `${withheld} of 40 alerted`)
  assert.ok(names() - before <= 40 - withheld + 1e-3)
  for (const r of rig.rows) {
    if ((r.flags & SCORED_FLAGS.alerted) !== 0)
      assert.equal(r.flags & (SCORED_FLAGS.withheld | SCORED_FLAGS.learned), SCORED_FLAGS.withheld)
  }
  const now = names()
  rig.act({ at: end + HOUR - 8 * DAY, action: 'crm.read' }, { arrival: end + HOUR })
  assert.equal(rig.rows.at(-1)!.flags & (SCORED_FLAGS.late | SCORED_FLAGS.learned), SCORED_FLAGS.late)
  rig.act({ at: end + 2 * HOUR }, { id: `e${rig.log.length - 1}` })
  assert.equal(rig.rows.at(-1)!.flags & (SCORED_FLAGS.duplicate | SCORED_FLAGS.learned), SCORED_FLAGS.duplicate)
  assert.equal(names(), now)
  assert.equal(rig.detector.counters.duplicates, 1)
})

test('INV-4 what an event scores does not depend on whether it is learned', () => {
  const acts = fc.record({
    action: fc.constantFrom('crm.read', 'crm.search', 'hr.export', 'mail.send'),
    class: fc.constantFrom('crm', 'hr', 'mail'),
    bytesOut: fc.nat(1e9),
    destination: fc.constantFrom('a.example.com', 'b.example.com'),
    resource: fc.constantFrom('r1', 'r2', 'r3'),
  })
  const learning = new Rig({ config: { tailFloor: 1e-12 } })
  const frozen = new Rig({ config: { tailFloor: 1e-12 } })
  work(learning, 6)
  const end = work(frozen, 6)
  const verdict = { alertId: 'a', identity: 'bot', groupKey: 'rate:0', events: [], author: 'me' }
  let at = end
  fc.assert(
    fc.property(acts, (act) => {
      at += 20 * MINUTE
      // Both have learned the same so far; only one of them may learn the event.
      frozen.control('verdict', { ...verdict, verdict: 'confirmed' })
      const a = learning.act({ at, ...act, session: 's' }, { id: `p${at}` })!
      const b = frozen.act({ at, ...act, session: 's' }, { id: `p${at}` })!
      assert.deepEqual(a.features, b.features)
      assert.deepEqual([a.score, a.surprise, a.tail_log10, a.maturity], [b.score, b.surprise, b.tail_log10, b.maturity])
      assert.equal(b.flags & SCORED_FLAGS.learned, 0)
      // Bring the frozen one up to date: the same state, whoever learned it.
      adopt(frozen, learning)
    }),
    { seed: 8, numRuns: 40 },
  )
})

/** Puts the slot that one rig has stored into the other. */
const adopt = (to: Rig, from: Rig): void => {
  const [name] = [...from.store.kept].find(([, bytes]) => bytes === from.slot())!
  to.store.kept.set(name, from.slot()!)
  to.restart()
  assert.ok(to.slot()!.length < SLOT_BYTES * 2)
}
