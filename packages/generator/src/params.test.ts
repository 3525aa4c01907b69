import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type GenerateOptions, listCases, parseParams } from './index.ts'

const parsed = (value: unknown): GenerateOptions => parseParams(JSON.stringify(value))
const refused = (value: unknown, words: RegExp): void =>
  assert.throws(
    () => parsed(value),
    (error: Error & { code?: string }) => error.code === 'GENERATOR_OPTIONS' && words.test(error.message),
    JSON.stringify(value),
  )

test('a file of parameters is taken as it stands', () => {
  const all: GenerateOptions = {
    seed: 977,
    startTime: 1_790_812_800_000,
    days: 12,
    identities: 60,
    eventsPerIdentityDay: 40,
    tenant: 'default',
    level: 'L1',
    attacks: { kinds: ['burst', 'hijack'], subtlety: 'mixed', perKind: 3, size: [1.2, 1000], labelledDays: 2 },
    twins: false,
    benign: { deploys: false },
    peerGroups: false,
    arguments: true,
    tuning: { failures: 2, spreadOfSizes: 0.5 },
  }
  assert.deepEqual(parsed(all), all)
  assert.deepEqual(parsed({}), {})
  assert.deepEqual(parsed({ startTime: '2026-10-01T00:00:00Z', attacks: 'none', benign: false }), {
    startTime: Date.UTC(2026, 9, 1),
    attacks: 'none',
    benign: false,
  })
  const specs = { attacks: [{ kind: 'hr_access', spread: 'days', size: 20, at: '2026-10-14T09:00:00+02:00' }] } as const
  assert.deepEqual(parsed(specs).attacks, [{ ...specs.attacks[0], at: Date.UTC(2026, 9, 14, 7) }])
  assert.ok(listCases(parsed({ identities: 40, attacks: { perKind: 1, size: [1.2, 1000] } })).every((c) => c.size >= 1 && c.size <= 1000))
})

test('what is wrong is named with its field and what it may be', () => {
  refused({ sead: 1 }, /^sead is no option; see GenerateOptions/)
  refused({ tuning: { failuers: 1 } }, /^tuning\.failuers is no option/)
  refused({ attacks: { perkind: 1 } }, /^attacks\.perkind is no option/)
  refused({ attacks: { perKind: 0 } }, /^attacks\.perKind: .*>=1/)
  refused({ attacks: { size: [10, 2] } }, /^attacks\.size: must rise/)
  refused({ attacks: { kinds: ['teleport'] } }, /^attacks\.kinds\.0: .*"hr_access"/)
  refused({ attacks: [{ kind: 'burst', spread: 'week' }] }, /^attacks\.0\.spread: .*"piece"/)
  refused({ attacks: [] }, /^attacks/)
  refused({ level: 'L3' }, /^level: .*"L2"/)
  refused({ identities: 5 }, /^identities: .*>=10/)
  refused({ benign: { mess: 1 } }, /^benign\.mess: .*boolean/)
  refused({ startTime: 'Thursday' }, /^startTime/)
  refused([], /^the file: .*object/)
  assert.throws(() => parseParams('{'), { code: 'GENERATOR_OPTIONS', message: /no JSON/ })
})
