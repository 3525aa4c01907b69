import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DAY, feature, HOUR, MINUTE, Rig, type Row } from '../rig.testkit.ts'

/** Monday 2026-10-05 00:00 UTC. */
const MONDAY = Date.UTC(2026, 9, 5)
const EVERY = 20 * MINUTE

/** Sends so much at each time from `from` until before `to`, every 20 minutes; the rows. */
const send = (rig: Rig, from: number, to: number, bytes: (at: number) => number): Row[] => {
  const rows: Row[] = []
  for (let at = from; at < to; at += EVERY)
    rows.push(rig.act({ at: at + MINUTE, action: 'metrics.push', class: 'metrics', bytesOut: Math.round(bytes(at)) })!)
  return rows
}
const most = (rows: readonly Row[], ...names: readonly string[]): number =>
  Math.max(...rows.flatMap((r) => names.map((n) => feature(r, n))))
const AMOUNTS = ['bytes_out_own', 'bytes_out_hour', 'bytes_out_day', 'drift_bytes'] as const

/** A logarithm with a normal spread, the same in every run. */
const noise = (seed: number): (() => number) => {
  let state = seed
  const unit = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 4_294_967_296
  }
  return () => Array.from({ length: 12 }, unit).reduce((a, b) => a + b) - 6
}

test('a robot that always sends the same is not surprised by it, wherever its size lies, and by half as much again it is', () => {
  for (const bytes of [4000, 4900, 5800, 6700, 7900]) {
    const rig = new Rig()
    const usual = send(rig, MONDAY, MONDAY + 12 * DAY, () => bytes).slice(300)
    assert.ok(most(usual, ...AMOUNTS) < 1, `${bytes}: ${most(usual, ...AMOUNTS)}`)
    const [row] = send(rig, MONDAY + 12 * DAY, MONDAY + 12 * DAY + EVERY, () => 1.5 * bytes)
    assert.ok(feature(row!, 'bytes_out_own') >= 10, `${bytes}: ${feature(row!, 'bytes_out_own')}`)
  }
})

test('of one whose amounts vary, the same half as much again is life', () => {
  const rig = new Rig()
  const normal = noise(7)
  const usual = send(rig, MONDAY, MONDAY + 12 * DAY, () => 5000 * Math.exp(0.6 * normal())).slice(300)
  const one = most(
    send(rig, MONDAY + 12 * DAY, MONDAY + 12 * DAY + EVERY, () => 7500),
    ...AMOUNTS,
  )
  assert.ok(one < 2, `${one}`)
  assert.ok(most(usual, 'bytes_out_hour', 'drift_bytes') < 8, `${most(usual, 'bytes_out_hour', 'drift_bytes')}`)
})

test('a robot that bursts with what it always sends shows in the hour', () => {
  const rig = new Rig()
  send(rig, MONDAY, MONDAY + 12 * DAY, () => 5000)
  const rows = Array.from(
    { length: 40 },
    (_, i) => rig.act({ at: MONDAY + 12 * DAY + i * 1000, action: 'metrics.push', class: 'metrics', bytesOut: 5000 })!,
  )
  assert.ok(most(rows, 'bytes_out_hour') >= 15 && most(rows, 'rate_hour', 'rate_minute') >= 8)
})

test('a shift that no hour shows adds up, and is over soon after it ends', () => {
  const rig = new Rig()
  const normal = noise(3)
  const usual = send(rig, MONDAY, MONDAY + 14 * DAY, () => 5000 * Math.exp(0.5 * normal())).slice(300)
  const from = MONDAY + 14 * DAY
  const shifted = send(rig, from, from + DAY, () => 5000 * Math.exp(0.45 + 0.5 * normal()))
  const after = send(rig, from + DAY, from + 4 * DAY, () => 5000 * Math.exp(0.5 * normal()))
  const first = most(shifted.slice(0, 9), 'drift_bytes')
  const all = most(shifted, 'drift_bytes')
  assert.ok(all >= 4 && all > first, `${first} of the first hours, ${all} of all`)
  assert.ok(most(usual, 'drift_bytes') < all, `${most(usual, 'drift_bytes')}`)
  assert.ok(most(after.slice(72), 'drift_bytes') < all / 2, `${most(after.slice(72), 'drift_bytes')}`)
})

test('a batch of every night is usual at night and at no other hour', () => {
  const rig = new Rig()
  const batch = (at: number): number => (Math.floor((at % DAY) / HOUR) === 2 ? 60_000 : 5000)
  const first = send(rig, MONDAY + 3 * DAY, MONDAY + 12 * DAY, batch)
  const known = send(rig, MONDAY + 12 * DAY, MONDAY + 13 * DAY, batch)
  assert.ok(
    most(known, 'bytes_out_hour', 'drift_bytes') < most(first, 'bytes_out_hour') / 3,
    `${most(known, 'bytes_out_hour', 'drift_bytes')}`,
  )
  const noon = MONDAY + 13 * DAY + 12 * HOUR
  send(rig, MONDAY + 13 * DAY, noon, batch)
  assert.ok(
    most(
      send(rig, noon, noon + HOUR, () => 60_000),
      'bytes_out_hour',
    ) >= 5,
  )
})

test('a batch at month end that did not alert surprises less once it was seen', () => {
  const lastOfMonth = (month: number): number => Date.UTC(2026, month - 1, 30, 2)
  const november = (inOctober: boolean): number => {
    const rig = new Rig()
    const normal = noise(11)
    const isBatch = (at: number): boolean => (inOctober && at - lastOfMonth(10) < HOUR && at >= lastOfMonth(10)) || at >= lastOfMonth(11)
    const amount = (at: number): number => 5000 * Math.exp(isBatch(at) ? 1.8 : 0.5 * normal())
    send(rig, MONDAY, lastOfMonth(11), amount)
    const nats = most(send(rig, lastOfMonth(11), lastOfMonth(11) + HOUR, amount), 'bytes_out_hour')
    assert.equal(rig.alerts.length, 0)
    return nats
  }
  const [seen, unseen] = [november(true), november(false)]
  assert.ok(unseen >= 8 && seen < unseen - 1, `${seen} when seen, ${unseen} when not`)
})

test('who returns after months sends as before without surprise, and is known still', () => {
  const rig = new Rig()
  send(rig, MONDAY, MONDAY + 12 * DAY, () => 5000)
  const back = MONDAY + 120 * DAY
  const rows = send(rig, back, back + DAY, () => 5000)
  assert.ok(most(rows, ...AMOUNTS) < 1, `${most(rows, ...AMOUNTS)}`)
  assert.ok(
    most(
      send(rig, back + DAY, back + DAY + EVERY, () => 15_000),
      'bytes_out_own',
    ) >= 10,
  )
})

test('nobody is told of a shift on the first day, nor is a stranger known to be a robot', () => {
  const rig = new Rig()
  const rows = send(rig, MONDAY, MONDAY + DAY, (at) => (at < MONDAY + 4 * HOUR ? 5000 : 7500))
  assert.equal(most(rows, 'drift_bytes'), 0)
  assert.ok(most(rows, 'bytes_out_hour') < 6, `${most(rows, 'bytes_out_hour')}`)
})
