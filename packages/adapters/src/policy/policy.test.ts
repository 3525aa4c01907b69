import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Policy } from '@plumbline/schemas'
import { PolicyCases, testPolicy } from './cases.ts'
import { type LoadedPolicy, loadPolicy, parsePolicy, problemText, watchPolicy } from './load.ts'
import { applyProposals, proposePolicy } from './propose.ts'

const SAMPLE = `# who owns whom
identities:
  - match: support-*
    owner: CX Platform
rules:
  - id: no-bots-in-hr
    identities: "*-bot"
    effect: deny
    classes: [hr]
resources:
  # the people database
  - match: { resource: "*people*" }
    class: hr
exceptions:
  - id: onboarding
    identities: onboarding-bot
    families: [sensitive_access]
    reason: reads HR for new joiners
    author: maria
    expires: 2026-12-31T00:00:00Z
`
const problems = (text: string): readonly string[] => {
  const loaded = parsePolicy(text)
  return loaded.ok ? [] : loaded.problems.map(problemText)
}

test('an absent file and an empty one are the empty policy', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-policy-'))
  try {
    const absent = await loadPolicy(join(dir, 'none.yaml'))
    const empty = parsePolicy('# nothing yet\n')
    assert.ok(absent.ok && empty.ok)
    assert.deepEqual(absent.policy, Policy.parse({}))
    assert.equal(absent.hash, empty.hash)
    await assert.rejects(loadPolicy(dir), { code: 'POLICY_UNREADABLE' })
  } finally {
    rmSync(dir, { recursive: true })
  }
})

test('each mistake names its field and line', () => {
  assert.deepEqual(problems(SAMPLE), [])
  assert.match(
    problems('rules:\n  - id: x\n    identities: a\n    effect: forbid\n    classes: [hr]\n')[0] ?? '',
    /^rules\.0\.effect \(line 4\): /,
  )
  assert.match(problems('identities:\n  - owner: x\n')[0] ?? '', /^identities\.0\.match \(line 2\): /)
  assert.match(problems('exceptions:\n  - {id: a, identities: a, reason: r, author: b}\n')[0] ?? '', /^exceptions\.0\.expires \(line 2\)/)
  assert.match(problems('ressources: []\n')[0] ?? '', /ressources/)
  assert.match(problems('a: [1\n')[0] ?? '', /^the file \(line \d\)/)
  assert.match(problems('a: &x [1]\nidentities: *x\n')[0] ?? '', /aliases/)
  assert.equal(problems('- 1').length, 1)
})

test('a file of any length is refused by its length, without being read whole', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-policy-'))
  t.after(() => rmSync(dir, { recursive: true }))
  const path = join(dir, 'policy.yaml')
  writeFileSync(path, '')
  // Sparse: more than a string can hold.
  truncateSync(path, 3 * 1024 ** 3)
  const loaded = await loadPolicy(path)
  assert.equal(loaded.ok, false)
  assert.match(loaded.ok ? '' : problemText(loaded.problems[0]!), /longer than 8000000 characters/)
})

test('a policy is reloaded when its content changes; a broken one is reported and the old one stays', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-policy-'))
  const path = join(dir, 'p.yaml')
  const seen: LoadedPolicy[] = []
  const watch = await watchPolicy(path, (loaded) => void seen.push(loaded), { intervalMs: 60_000 })
  try {
    for (const text of [SAMPLE, SAMPLE, 'rules: 3', '']) {
      writeFileSync(path, text)
      await watch.check()
    }
    assert.deepEqual(
      seen.map((l) => l.ok),
      [true, true, false, true],
    )
  } finally {
    watch.close()
    rmSync(dir, { recursive: true })
  }
})

test('cases say what a policy answers, and where it differs', () => {
  const loaded = parsePolicy(SAMPLE)
  assert.ok(loaded.ok)
  const cases = PolicyCases.parse([
    {
      name: 'people is HR',
      action: 'sql.select',
      class: 'db',
      resource: 'core.people',
      expect: { class: 'hr', sensitivity: 3, segments: 'learned' },
    },
    { name: 'bots stay out', identity: 'support-bot', class: 'hr', expect: { rule: 'deny', owner: 'CX Platform', exception: null } },
    {
      name: 'until the end of the year',
      identity: 'onboarding-bot',
      class: 'hr',
      family: 'sensitive_access',
      time: '2026-12-30T00:00:00Z',
      expect: { exception: 'onboarding' },
    },
    { name: 'wrong on purpose', class: 'hr', expect: { sensitivity: 0, rule: 'allow' } },
  ])
  const results = testPolicy(loaded.policy, cases)
  assert.deepEqual(
    results.map((r) => r.ok),
    [true, true, true, false],
  )
  assert.deepEqual(results[3]?.differences, [
    { field: 'sensitivity', expected: 0, got: 3 },
    { field: 'rule', expected: 'allow', got: 'none' },
  ])
})

const observed = {
  identities: 10,
  classes: [
    { class: 'wiki', events: 900, identities: 9, actions: ['read'] },
    { class: 'payroll', events: 12, identities: 1, actions: ['read'] },
    { class: 'hr', events: 50, identities: 2, actions: ['read'] },
    { class: 'inbox', events: 300, identities: 8, actions: ['get_unread_emails'] },
  ],
  destinations: [
    { destination: 'acme.example', events: 4000, identities: 9 },
    { destination: 'partner.example', events: 40, identities: 2 },
    { destination: '10.0.0.1', events: 9000, identities: 10 },
  ],
}

test('what was seen becomes a proposal with reasons, never a change', () => {
  const loaded = parsePolicy(SAMPLE)
  assert.ok(loaded.ok)
  const proposals = proposePolicy(loaded.policy, observed)
  assert.deepEqual(
    proposals.map((p) => p.entry),
    [
      { match: { class: 'inbox' }, untrusted: true },
      { match: { class: 'payroll' }, sensitivity: 3 },
      { match: { destination: '*acme.example' }, external: false },
    ],
  )
  assert.equal(proposals[1]?.reason, 'payroll: its name says restricted; seen 12 times by 1 identity.')
})

test('accepting keeps comments, adds at the end of the resources, and once accepted nothing is proposed again', () => {
  const loaded = parsePolicy(SAMPLE)
  assert.ok(loaded.ok)
  const { text, diff } = applyProposals(SAMPLE, proposePolicy(loaded.policy, observed))
  assert.match(text, /# the people database/)
  assert.doesNotMatch(diff, /^-/m)
  assert.equal(diff.split('\n').filter((l) => l.startsWith('+')).length, 12)
  const after = parsePolicy(text)
  assert.ok(after.ok)
  assert.equal(after.policy.resources.length, 4)
  assert.deepEqual(proposePolicy(after.policy, observed), [])
  assert.equal(applyProposals(text, []).diff, '')
  for (const odd of [
    'resources: []\n',
    'resources: [{match: {class: a}, class: b}]',
    'resources:\n- match:\n    class: a\n  class: b',
    'rules: []\nresources:\n',
    '{}',
  ])
    assert.ok(parsePolicy(applyProposals(odd, proposePolicy(Policy.parse({}), observed)).text).ok, odd)
  const fromEmpty = applyProposals('', proposePolicy(Policy.parse({}), observed))
  assert.ok(parsePolicy(fromEmpty.text).ok)
  assert.throws(() => applyProposals('rules: 3', []), { code: 'POLICY_INVALID' })
})
