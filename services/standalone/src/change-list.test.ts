import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChangeFilter } from '@plumbline/console'
import { policyHash } from '@plumbline/detector'
import { type Change, CHANGE_STATES, ChangeView, Policy } from '@plumbline/schemas'
import { createChangeList } from './change-list.ts'
import { changesValueName, createChanges, type KnownChange } from './changes.ts'

const NOW = 1_800_000_000_000
const HOUR = 3_600_000

const known = (id: string, change: Partial<Change> = {}, more: Partial<KnownChange> = {}): KnownChange => ({
  change: { id, what: { model: 'm' }, scope: { all: true }, from: NOW - HOUR, until: NOW + HOUR, reason: 'r', by: 'jane', ...change },
  announcedAt: NOW,
  actor: 'deploy key ci',
  ...more,
})

/** The list over named values as a log keeps them. */
const listOf = (stored: Readonly<Record<string, readonly KnownChange[]>>, policy?: Policy) => {
  const values = new Map(Object.entries(stored).map(([tenant, list]) => [changesValueName(tenant), JSON.stringify(list)]))
  if (policy !== undefined) {
    const hash = policyHash(policy)
    values.set(`policy:body:${hash}`, JSON.stringify(policy))
    for (const tenant of Object.keys(stored)) values.set(`policy:given:${tenant}`, JSON.stringify({ hash, count: 1 }))
  }
  const kv = {
    get: (name: string) => {
      const value = values.get(name)
      return value === undefined ? undefined : Buffer.from(value)
    },
    list: (prefix: string) => [...values.keys()].filter((name) => name.startsWith(prefix)),
    put: () => Promise.reject(new Error('nothing is written by reading')),
  }
  const log = { kv, shards: 1, ingest: () => Promise.reject(new Error('nothing is written by reading')) }
  const list = createChangeList({ changes: createChanges({ log: () => log, clock: () => NOW }), log: () => log, clock: () => NOW })
  const ids = (filter: Partial<ChangeFilter> = {}): string[] => list.page({ tenants: null, ...filter }, null, 100).map(({ id }) => id)
  return { list, ids }
}

test('says what each is now: its end belongs to the time after it', () => {
  const { list, ids } = listOf({
    default: [
      known('begins', { from: NOW }),
      known('ahead', { from: NOW + 1 }),
      known('ends', { until: NOW }),
      known('open', { until: NOW + 1 }),
      known('withdrawn', {}, { withdrawn: true }),
    ],
  })
  const states = list.page({ tenants: null }, null, 100).map(({ id, state }) => [id, state])
  assert.deepEqual(states, [
    ['ahead', 'ahead'],
    ['begins', 'open'],
    ['ends', 'over'],
    ['open', 'open'],
    ['withdrawn', 'withdrawn'],
  ])
  assert.deepEqual(
    CHANGE_STATES.map((state) => ids({ state })),
    [['ahead'], ['begins', 'open'], ['ends'], ['withdrawn']],
  )
})

test('shows what was announced and by whom, and nothing else that may be stored with it', () => {
  const stored = { ...known('run-1', { ticket: 'CHG-7' }), signature: 'c2lnbmF0dXJl', publicKey: 'MCowBQYDK2Vw' }
  const [view] = listOf({ acme: [stored] }).list.page({ tenants: ['acme'] }, null, 1)
  assert.deepEqual(ChangeView.parse(view), view)
  assert.deepEqual(view, {
    tenant: 'acme',
    ...stored.change,
    state: 'open',
    announcedAt: NOW,
    actor: 'deploy key ci',
  })
})

test('about an agent: by its id, by its peer group as the policy has it, or by one that is named', () => {
  const policy = Policy.parse({ identities: [{ match: 'support-*', peerGroup: 'support' }] })
  const stored = {
    default: [
      known('all'),
      known('id', { scope: { identities: ['Support-*'] } }),
      known('group', { scope: { peerGroups: ['supp*'] } }),
      known('either', { scope: { identities: ['triage'], peerGroups: ['research'] } }),
    ],
  }
  const { ids } = listOf(stored, policy)
  assert.deepEqual(ids({ identity: 'support-bot' }), ['all', 'group', 'id'])
  assert.deepEqual(ids({ identity: 'triage' }), ['all', 'either'])
  assert.deepEqual(ids({ identity: 'nobody' }), ['all'])
  assert.deepEqual(ids({ identity: 'nobody', peerGroup: 'research' }), ['all', 'either'])
  assert.deepEqual(ids({ peerGroup: 'support' }), ['all', 'group'])
  assert.deepEqual(listOf(stored).ids({ identity: 'support-bot' }), ['all', 'id'], 'without a policy no group is known')
})

test('tenants are kept apart, and one without changes has none', () => {
  const { ids } = listOf({ acme: [known('a')], default: [known('d')] })
  assert.deepEqual(
    [ids(), ids({ tenants: ['acme', 'demo'] }), ids({ tenants: ['other'] }), ids({ tenants: [] })],
    [['a', 'd'], ['a'], [], []],
  )
})

test('pages of any size are the whole list, newest first, also of those that came within one millisecond', () => {
  const stored: Record<string, KnownChange[]> = { a: [], 'b|c': [] }
  for (let i = 0; i < 30; i++) stored[i % 3 === 0 ? 'a' : 'b|c']!.push(known(`c-${i}`, {}, { announcedAt: NOW + ((i * 7) % 5) }))
  const { list, ids } = listOf(stored)
  for (const limit of [1, 2, 7, 29, 30, 31]) {
    const seen: ChangeView[] = []
    for (let page = list.page({ tenants: null }, null, limit); page.length > 0; ) {
      assert.ok(page.length <= limit)
      seen.push(...page)
      page = list.page({ tenants: null }, seen.at(-1)!, limit)
    }
    assert.deepEqual(
      seen.map(({ id }) => id),
      ids(),
    )
    assert.equal(new Set(ids()).size, 30)
    assert.ok(seen.every(({ announcedAt }, i) => i === 0 || announcedAt <= seen[i - 1]!.announcedAt))
  }
})
