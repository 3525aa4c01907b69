import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Candidate, type Choice, chooseNext, pauseAfter } from './choose.ts'
import type { Stamp } from './in-force.ts'
import type { Measured } from './ledger.ts'

const NOW: Stamp = { releaseId: 'r2', policyHash: 'p', detectorVersion: '1' }
const candidate = (identity: string, lastSeen: number): Candidate => ({ tenant: 't', identity, lastSeen })
const measured = (measuredAt: number, more: Partial<Measured> = {}): Measured => ({
  ...NOW,
  measuredAt,
  baselineAt: 100,
  spots: [],
  ...more,
})
const choose = (
  results: Readonly<Record<string, Measured>>,
  candidates: readonly Candidate[],
  most = 10,
  shardOf?: Choice['shardOf'],
): string[] =>
  chooseNext(candidates, { get: (_, identity) => results[identity] }, { nowOf: () => NOW, most, shardOf }).map(({ identity }) => identity)

test('who was never tested comes first, the most recently active first; then the oldest results', () => {
  const candidates = [candidate('a', 500), candidate('b', 400), candidate('c', 300), candidate('d', 200)]
  assert.deepEqual(choose({ a: measured(20), c: measured(10) }, candidates), ['b', 'd', 'c', 'a'])
  assert.deepEqual(choose({ a: measured(20), c: measured(10) }, candidates, 3), ['b', 'd', 'c'])
})

test('a result stays until there are newer events, another release, policy or detector', () => {
  const results = {
    same: measured(1),
    release: measured(2, { releaseId: 'r1' }),
    policy: measured(3, { policyHash: 'q' }),
    version: measured(4, { detectorVersion: '0' }),
    active: measured(5),
  }
  const candidates = Object.keys(results).map((identity) => candidate(identity, identity === 'active' ? 101 : 100))
  assert.deepEqual(choose(results, candidates), ['release', 'policy', 'version', 'active'])
})

test('where a slot costs the reading of its shard, those of the first one’s shard and tenant come with it', () => {
  const candidates = [candidate('a', 500), candidate('bb', 400), { ...candidate('c', 350), tenant: 'u' }, candidate('d', 300)]
  assert.deepEqual(
    choose({}, candidates, 10, ({ identity }) => identity.length),
    ['a', 'd'],
  )
  assert.deepEqual(
    choose({ a: measured(1), d: measured(2) }, candidates, 10, ({ identity }) => identity.length),
    ['bb'],
  )
})

test('work takes its share of the time', () => {
  for (const percent of [0.5, 1, 50]) {
    const busy = 3000
    assert.equal((100 * busy) / (busy + pauseAfter(busy, percent)), percent)
  }
})
