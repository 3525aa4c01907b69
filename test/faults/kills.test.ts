import assert from 'node:assert/strict'
import { test } from 'node:test'
import { engineProblem } from '@plumbline/adapters/clickhouse'
import { OUTSIDE, POINTS, differences, runCampaign } from './campaign.ts'

const skip = engineProblem()?.message ?? false

const table = (fired: ReadonlyMap<string, number>): string => [...fired].map(([name, n]) => `${name} ${n}`).join(', ')

test('killed at every named point, nothing is lost or doubled (INV-2, INV-3)', { skip, timeout: 400_000 }, async (t) => {
  const { fired, kills, verdict } = await runCampaign({ seed: 7, perPoint: 2, perOutside: 3 })
  t.diagnostic(`${kills} faults on ${verdict.events} events: ${table(fired)}`)
  t.diagnostic(JSON.stringify(verdict))
  for (const name of [...POINTS, ...OUTSIDE]) assert.ok((fired.get(name) ?? 0) > 0, `no fault fired: ${name}`)
  assert.ok(kills >= 50, `only ${kills} faults fired`)
  assert.equal(differences(verdict), 0, JSON.stringify(verdict))
})

test('the negative control, which saves the position outside the transaction, is noticed', { skip, timeout: 200_000 }, async (t) => {
  const { fired, verdict } = await runCampaign({ seed: 11, perPoint: 4, perOutside: 0, points: ['commit:durable'], broken: true })
  t.diagnostic(`${table(fired)}; ${JSON.stringify(verdict)}`)
  assert.ok((fired.get('commit:durable') ?? 0) > 0, 'no fault fired')
  assert.ok(verdict.doubled > 0 && verdict.wrong > 0 && verdict.stateWrong > 0, 'a broken protocol passed as a good one')
})
