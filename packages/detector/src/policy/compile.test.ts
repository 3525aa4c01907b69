import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Policy, type PolicyInput } from '@plumbline/schemas'
import fc from 'fast-check'
import { compileGlob } from './glob.ts'
import { compilePolicy, policyHash } from './compile.ts'
import { type Act, judge } from './judge.ts'

const compiled = (input: PolicyInput) => compilePolicy(Policy.parse(input))
const at = (iso: string) => Date.parse(iso)

test('an empty policy answers from the built-in tables', () => {
  const p = compiled({})
  assert.deepEqual(p.resourceOf('read', undefined, 'hr', undefined), {
    class: undefined,
    sensitivity: 3,
    sensitivityFrom: 'default',
    segment: undefined,
    write: false,
    untrusted: false,
    external: undefined,
    sendsOutward: false,
  })
  assert.equal(p.identityOf('anyone').criticality, 2)
  assert.equal(p.ruleVerdict('a', 'read', 'hr'), undefined)
  assert.equal(p.segmentAllowed('a', 'b'), undefined)
  assert.equal(p.inMaintenance('a', 0), undefined)
})

test('of several matching resources the first that states a field gives it', () => {
  const p = compiled({
    resources: [
      { match: { action: 'SQL.*', resource: '*people*' }, class: 'hr' },
      { match: { action: 'sql.*' }, class: 'warehouse', segment: 'core', sensitivity: 2 },
      { match: { destination: '*.partner.example' }, external: false },
      { match: { class: 'wiki' }, untrusted: true },
    ],
  })
  assert.equal(p.resourceOf('sql.select', 'db.people_2024', 'db', undefined).class, 'hr')
  assert.equal(p.resourceOf('sql.select', 'db.people_2024', 'db', undefined).segment, 'core')
  assert.equal(p.resourceOf('sql.select', 'db.people_2024', 'db', undefined).sensitivity, 2)
  assert.equal(p.resourceOf('sql.select', 'db.orders', 'db', undefined).class, 'warehouse')
  assert.equal(p.resourceOf('upload', undefined, 'files', 'sftp.partner.example').external, false)
  assert.equal(p.resourceOf('upload', undefined, 'files', 'sftp.other.example').external, undefined)
  assert.equal(p.resourceOf('read', undefined, 'wiki', undefined).untrusted, true)
  assert.equal(p.resourceOf('write', undefined, 'wiki', undefined).untrusted, false)
})

test('identities take each field from the first entry that states it', () => {
  const p = compiled({
    identities: [
      { match: 'support-bot', purpose: 'answers customers', criticality: 3 },
      { match: 'support-*', owner: 'CX Platform', peerGroup: 'support' },
    ],
  })
  const x = p.identityOf('Support-Bot')
  assert.deepEqual([x.owner, x.purpose, x.criticality, x.peerGroup], ['CX Platform', 'answers customers', 3, 'support'])
  assert.equal(p.identityOf('other').owner, undefined)
})

test('a deny beats an allow', () => {
  const p = compiled({
    rules: [
      { id: 'hr-reads', identities: 'hr-*', effect: 'allow', action: 'read', classes: ['hr'] },
      { id: 'no-bots', identities: '*-bot', effect: 'deny', classes: ['hr', 'payroll*'] },
    ],
  })
  assert.deepEqual(p.ruleVerdict('hr-app', 'read', 'hr'), { effect: 'allow', ruleId: 'hr-reads' })
  assert.equal(p.ruleVerdict('hr-app', 'write', 'hr'), undefined)
  assert.deepEqual(p.ruleVerdict('hr-bot', 'read', 'hr'), { effect: 'deny', ruleId: 'no-bots' })
  assert.deepEqual(p.ruleVerdict('x-bot', 'write', 'payroll_2026'), { effect: 'deny', ruleId: 'no-bots' })
})

test('exceptions hold for their scope and end', () => {
  const p = compiled({
    exceptions: [
      {
        id: 'x1',
        identities: 'a',
        families: ['volume'],
        classes: ['backup*'],
        reason: 'r',
        author: 'me',
        expires: '2026-02-01T00:00:00+01:00',
      },
    ],
  })
  assert.equal(p.exceptionFor('a', 'volume', 'backups', at('2026-01-31T22:59:59Z')), 'x1')
  assert.equal(p.exceptionFor('a', 'volume', 'backups', at('2026-01-31T23:00:00Z')), undefined)
  assert.equal(p.exceptionFor('a', 'rate', 'backups', 0), undefined)
  assert.equal(p.exceptionFor('a', 'volume', 'hr', 0), undefined)
  assert.equal(p.exceptionFor('b', 'volume', 'backups', 0), undefined)
})

test('windows, calendars and segments', () => {
  const p = compiled({
    maintenance: [{ name: 'move', from: '2026-03-01T00:00:00Z', to: '2026-03-02T00:00:00Z' }],
    calendars: [
      { name: 'closing', identities: 'billing-*', days: ['2026-12-30', '2026-12-31'] },
      { name: 'holidays', days: ['2026-12-25'] },
    ],
    segments: [{ from: 'dmz', to: 'core*' }],
  })
  assert.equal(p.inMaintenance('any', at('2026-03-01T12:00:00Z')), 'move')
  assert.equal(p.inMaintenance('any', at('2026-03-02T00:00:00Z')), undefined)
  assert.equal(p.calendarFor('any', 'rate', at('2026-12-25T23:59:59Z')), 'holidays')
  assert.equal(p.calendarFor('any', 'toxic_flow', at('2026-12-25T23:59:59Z')), undefined)
  assert.equal(p.calendarFor('any', 'rate', at('2026-12-26T00:00:00Z')), undefined)
  assert.equal(p.calendarFor('billing-1', 'volume', at('2026-12-31T12:00:00Z')), 'closing')
  assert.equal(p.calendarFor('any', 'volume', at('2026-12-31T12:00:00Z')), undefined)
  assert.equal(p.segmentAllowed('DMZ', 'core-db'), true)
  assert.equal(p.segmentAllowed('core-db', 'dmz'), false)
  assert.equal(p.segmentAllowed('x', 'x'), true)
})

test('of a segment the sender’s word goes before the policy’s; only a way between two known ones is ruled', () => {
  const p = compiled({
    identities: [
      { match: 'bot', segment: '' },
      { match: 'b*', segment: 'dmz' },
    ],
    resources: [{ match: { class: 'ledger' }, segment: 'core' }],
    segments: [{ from: 'office', to: 'core' }],
  })
  const ask = (act: Partial<Act>) => {
    const said = judge(p, {
      identity: 'bot',
      action: 'read',
      class: 'ledger',
      resource: undefined,
      destination: undefined,
      from: undefined,
      to: undefined,
      ...act,
    })
    return [said.from, said.to, said.way, said.denied]
  }
  assert.deepEqual(ask({}), ['dmz', 'core', 'forbidden', 'way'])
  assert.deepEqual(ask({ from: 'office' }), [undefined, 'core', 'allowed', null])
  assert.deepEqual(ask({ to: 'DMZ' }), ['dmz', undefined, 'allowed', null])
  assert.deepEqual(ask({ identity: 'stranger' }), [undefined, 'core', 'learned', null])
  assert.deepEqual(ask({ class: 'wiki' }), ['dmz', undefined, 'learned', null])
})

test('texts of equal fit get equal answers, and an identity’s segment is part of its fit', () => {
  const p = compiled({
    rules: [{ id: 'r', identities: '*-bot', effect: 'deny', classes: ['*'] }],
    identities: [
      { match: 'a*', segment: 'dmz' },
      { match: 'b*', segment: 'core' },
      { match: 'c*', segment: 'dmz' },
    ],
  })
  const fits = ['a-bot', 'c-bot', 'b-bot', 'a', 'c', 'b', 'd', 'e'].map((id) => p.fitOf('identity', id))
  assert.equal(fits[0], fits[1])
  assert.equal(fits[3], fits[4])
  assert.equal(fits[6], fits[7])
  assert.equal(new Set(fits).size, 5)
})

test('the hash depends on meaning, not on the order of keys', () => {
  const a = Policy.parse({ identities: [{ match: 'a', owner: 'o', purpose: 'p' }] })
  const b = Policy.parse({ identities: [{ purpose: 'p', owner: 'o', match: 'a' }] })
  assert.equal(policyHash(a), policyHash(b))
  assert.notEqual(policyHash(a), policyHash(Policy.parse({})))
})

test('globs agree with a plain definition and stay fast on hostile patterns', () => {
  const plain = (p: string, t: string): boolean =>
    p === ''
      ? t === ''
      : p[0] === '*'
        ? plain(p.slice(1), t) || (t !== '' && plain(p, t.slice(1)))
        : p[0] === t[0] && plain(p.slice(1), t.slice(1))
  const word = (alphabet: string, maxLength: number) => fc.array(fc.constantFrom(...alphabet), { maxLength }).map((x) => x.join(''))
  fc.assert(
    fc.property(word('ab*', 7), word('ab', 9), (p, t) => compileGlob(p).matches(t) === plain(p, t)),
    { seed: 7, numRuns: 3000 },
  )
  const glob = compileGlob('*a'.repeat(127))
  const started = performance.now()
  for (let i = 0; i < 1000; i++) glob.matches(`${'a'.repeat(511)}b`)
  assert.ok(performance.now() - started < 1000)
})
