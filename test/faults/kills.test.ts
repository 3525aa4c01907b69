import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { engineProblem } from '@plumbline/adapters/clickhouse'
import { OUTSIDE, POINTS, differences, runCampaign } from './campaign.ts'

const skip = engineProblem()?.message ?? false

const table = (fired: ReadonlyMap<string, number>): string => [...fired].map(([name, n]) => `${name} ${n}`).join(', ')

const noneUnfired = (fired: ReadonlyMap<string, number>): void => {
  for (const name of [...POINTS, ...OUTSIDE]) assert.ok((fired.get(name) ?? 0) > 0, `no fault fired: ${name}`)
}

describe('kills', { concurrency: 2 }, () => {
  test('a chain over all events, killed at every named point: nothing is lost or doubled (INV-2, INV-3)', {
    skip,
    timeout: 400_000,
  }, async (t) => {
    const { fired, verdict, kills } = await runCampaign({ seed: 7, perPoint: 1, perOutside: 2 })
    t.diagnostic(`${kills} faults: ${table(fired)}`)
    t.diagnostic(JSON.stringify(verdict))
    noneUnfired(fired)
    assert.ok(kills >= 25, `only ${kills} faults fired`)
    assert.equal(differences(verdict), 0, JSON.stringify(verdict))
  })

  test('the detector, killed at every named point: rows, alerts and state as in one uninterrupted run (INV-1)', {
    skip,
    timeout: 400_000,
  }, async (t) => {
    const { fired, verdict, kills } = await runCampaign({ seed: 8, perPoint: 1, perOutside: 1, company: true })
    t.diagnostic(`${kills} faults: ${table(fired)}`)
    t.diagnostic(JSON.stringify(verdict))
    noneUnfired(fired)
    // With the run above at least 50 in all.
    assert.ok(kills >= 25, `only ${kills} faults fired`)
    assert.ok(verdict.alerts > 0, 'the stream had no alerts to compare')
    assert.equal(differences(verdict), 0, JSON.stringify(verdict))
  })

  test('the negative control, which saves the position outside the transaction, is noticed', { skip, timeout: 200_000 }, async (t) => {
    const { fired, verdict } = await runCampaign({ seed: 11, perPoint: 3, perOutside: 0, points: ['commit:durable'], broken: true })
    t.diagnostic(`${table(fired)}; ${JSON.stringify(verdict)}`)
    assert.ok((fired.get('commit:durable') ?? 0) > 0, 'no fault fired')
    assert.ok(verdict.doubled > 0 && verdict.wrong > 0 && verdict.stateWrong > 0, 'a broken protocol passed as a good one')
  })
})
