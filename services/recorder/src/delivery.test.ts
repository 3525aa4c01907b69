import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AlertBudget } from '@plumbline/adapters/siem'
import type { OutboxEntry } from '@plumbline/schemas'
import { alertFor } from '../../../packages/adapters/src/siem/testing.ts'
import { decideBlock } from './delivery.ts'

const entryOf = (value: unknown, sequence: number): OutboxEntry => ({
  topic: 'alerts',
  sequence,
  shard: 0,
  firstOffset: 0,
  lastOffset: 0,
  rows: 1,
  schemaVersion: 1,
  payload: Buffer.from(JSON.stringify(value)),
})

test('what is no alert gets no decision and costs none of the budget', () => {
  const broken = { ...alertFor(9), facts: { ...alertFor(9).facts, tenant: null } }
  const entries = [alertFor(0), null, { v: 1, facts: null }, broken, alertFor(1), alertFor(2)].map((value, i) => entryOf(value, i + 1))
  const { decisions } = decideBlock((state) => new AlertBudget(() => 2, state as never), undefined, entries)
  assert.deepEqual(
    [...decisions],
    [
      [1, 'delivered'],
      [5, 'delivered'],
      [6, 'held'],
    ],
  )
})
