import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shardOf } from './2-identify/shard.ts'
import { reshard } from './reshard.ts'

const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))
const json = (value: Uint8Array | undefined): unknown => (value === undefined ? undefined : JSON.parse(Buffer.from(value).toString()))

const saved = (applied: readonly string[], release: string | null = 'r1', groupNames: readonly (readonly [number, string])[] = []) =>
  bytes({ release: release === null ? null : { id: release, sha256: 'x' }, policy: null, applied, groupNames })

/** As much of an open alert as its place depends on. */
const open = (identity: string, first: number, lastSeen: number) =>
  bytes({ alert: { facts: { identity: { id: identity } }, evidence: [{ offset: first }], lastSeen }, lo: 1, hi: 2 })

test('what is in force is in force in every new shard; what shards met is joined, and counts keep their sum', () => {
  const from = [
    new Map([
      ['t:acme', saved(['a', 'b'], 'r1', [[1, 'one']])],
      ['n:acme', bytes(10)],
    ]),
    new Map([
      ['t:acme', saved(['b', 'c'], 'r1', [[2, 'two']])],
      ['n:acme', bytes(7)],
      ['t:other', saved([], null)],
      ['n:other', bytes(2)],
    ]),
    new Map<string, Uint8Array>(),
  ]
  const { metas, openAlertsLeft } = reshard(from, 5)
  assert.deepEqual([metas.length, openAlertsLeft], [5, 0])
  for (const meta of metas) {
    const acme = json(meta.get('t:acme')) as { release: { id: string }; applied: string[]; groupNames: [number, string][] }
    assert.deepEqual(
      [acme.release.id, acme.applied, acme.groupNames],
      [
        'r1',
        ['a', 'b', 'c'],
        [
          [1, 'one'],
          [2, 'two'],
        ],
      ],
    )
  }
  const sum = (name: string): number => metas.reduce((total, meta) => total + Number(json(meta.get(name))), 0)
  assert.deepEqual([sum('n:acme'), sum('n:other')], [17, 2])
})

test('shards that do not agree are not moved', () => {
  const from = [new Map([['t:acme', saved([], 'r1')]]), new Map([['t:acme', saved([], 'r2')]])]
  assert.throws(() => reshard(from, 3), { code: 'SHARDS_UNEVEN' })
})

test('open alerts go with their identities; of two that one shard cannot tell apart the newer stays', () => {
  const from = [
    new Map([
      ['t:acme', saved([])],
      ['a:0:acme', open('alice', 5, 100)],
      ['a:3:acme', open('bob', 9, 50)],
      ['a:4:acme', new Uint8Array(0)],
    ]),
    new Map([
      ['t:acme', saved([])],
      ['a:0:acme', open('alice', 5, 200)],
    ]),
  ]
  const { metas, openAlertsLeft } = reshard(from, 4)
  assert.equal(openAlertsLeft, 1)
  const placed = metas.flatMap((meta, shard) =>
    [...meta].flatMap(([name, value]) => {
      if (!name.startsWith('a:')) return []
      const { alert } = json(value) as { alert: { facts: { identity: { id: string } }; lastSeen: number } }
      return [[shard, name.endsWith(':acme'), alert.facts.identity.id, alert.lastSeen]]
    }),
  )
  const expected = [
    [shardOf('acme', 'alice', 4), true, 'alice', 200],
    [shardOf('acme', 'bob', 4), true, 'bob', 50],
  ]
  assert.deepEqual(placed.sort(), expected.sort())
})
