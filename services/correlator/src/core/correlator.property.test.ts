import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Incident } from '@plumbline/schemas'
import { Correlator } from './correlator.ts'
import { LATENESS_MS } from './limits.ts'
import { ROLE, type Signal } from './signal.ts'
import { alerted, alertFor, DAY, fleet, HOUR, MINUTE, signal, since, splitFlow, START } from './signals.testkit.ts'

/** A few days of ordinary life with a bad tool, a shared source and a split flow in it. */
const life: readonly Signal[] = [
  since(START - 10 * DAY),
  ...Array.from({ length: 400 }, (_, i) =>
    signal({
      time: START - 3 * DAY + i * 13 * MINUTE,
      identity: `agent-${i % 17}`,
      source: `10.0.0.${i % 17}`,
      destination: `known-${i % 5}.example`,
      roles: ROLE.sighting | ROLE.place | (i % 29 === 0 ? ROLE.departs : 0),
    }),
  ),
  ...fleet(START, 9, { destination: 'drop.example', flags: alerted }),
  signal({ time: START + HOUR, identity: 'agent-3', source: '10.0.0.5' }),
  ...splitFlow(START + 2 * HOUR),
  ...fleet(START + 5 * HOUR, 6, { action: 'ocr.extract' }, 7 * MINUTE),
].sort((a, b) => a.time - b.time)
const END = START + 12 * HOUR

/** Arrivals behind event time by less than the lateness; windows are closed at some of them. */
const runs = fc.record({
  delays: fc.array(fc.integer({ min: 0, max: LATENESS_MS - MINUTE }), { minLength: life.length, maxLength: life.length }),
  closeEvery: fc.integer({ min: 1, max: 200 }),
  restartEvery: fc.integer({ min: 1, max: 120 }),
})

const play = (delays: readonly number[], closeEvery: number, restartEvery: number): Incident[] => {
  const arrivals = life.map((one, i) => ({ one, at: one.time + delays[i]! })).sort((a, b) => a.at - b.at || a.one.offset - b.one.offset)
  let correlator = new Correlator()
  const told: Incident[] = []
  arrivals.forEach(({ one, at }, i) => {
    correlator.add(one)
    if ((one.flags & alerted) !== 0) correlator.addAlert(alertFor(one))
    if (i % closeEvery === 0) told.push(...correlator.close(at - LATENESS_MS))
    if (i % restartEvery === 0) correlator = new Correlator({}, correlator.pack())
  })
  told.push(...correlator.close(END))
  assert.equal(correlator.counters.late, 0)
  return told
}

test('C13 incidents are the same for any order within lateness, any pace of closing and any restart', () => {
  const expected = play(
    life.map(() => 0),
    1,
    1_000_000,
  )
  assert.deepEqual(new Set(expected.map(({ kind }) => kind)), new Set(['split_flow', 'shared_source', 'common_cause']))
  const byId = (incidents: readonly Incident[]): string[] => incidents.map((incident) => JSON.stringify(incident)).sort()
  fc.assert(
    fc.property(runs, ({ delays, closeEvery, restartEvery }) => {
      assert.deepEqual(byId(play(delays, closeEvery, restartEvery)), byId(expected))
    }),
    { numRuns: 25 },
  )
})
