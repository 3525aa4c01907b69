import assert from 'node:assert/strict'
import { test } from 'node:test'
import { family, GROUP, sheetOf, type Limits, brokenLimits } from './limits.testkit.ts'
import { ruleOf } from './rules.ts'

/** Sessions that are not the identity's own: `turns.ts`. */
const LIMITS: Limits = {
  'another client with acts that are not its own': {
    family: 'source',
    speaks: { tail: 2.5, features: { user_agent_own: 5, action_own: 8 } },
    quiet: [
      { tail: 2.4 },
      { maturity: 0.54 },
      { features: { user_agent_own: 4.9 } },
      { features: { action_own: 7.9 } },
      { features: { version_changed: 1 } },
    ],
  },
  'a session that is another role’s': {
    family: 'new_behaviour',
    speaks: { tail: 3.5, features: { role_swap: 8, action_own: 8, session_firsts: 8 } },
    quiet: [
      { tail: 3.4 },
      { features: { role_swap: 7.9 } },
      { features: { action_own: 7.9 } },
      { features: { session_firsts: 7 } },
      { features: { version_changed: 1 } },
    ],
  },
  'acts of no peer and not its own, among many firsts': {
    family: 'new_behaviour',
    speaks: {
      tail: 2.6,
      maturity: 0.4,
      features: { session_firsts: 8, action_own: 9, class_own: 9, action_peer: 8, class_peer: 8 },
    },
    quiet: [
      { tail: 2.5 },
      { fleet: 1 },
      { maturity: 0.39 },
      { features: { session_firsts: 7 } },
      { features: { action_own: 8.9 } },
      { features: { class_own: 8.9 } },
      { features: { action_peer: 7.9 } },
      { features: { class_peer: 7.9 } },
      { features: { version_changed: 1 } },
    ],
  },
  'the same right after a change of version': {
    family: 'new_behaviour',
    speaks: {
      tail: 2.6,
      maturity: 0.4,
      features: { version_changed: 1, session_firsts: 16, action_own: 9, class_own: 9, action_peer: 8, class_peer: 8 },
    },
    quiet: [{ features: { session_firsts: 15 } }],
  },
  'the same of a person in a large company': {
    family: 'new_behaviour',
    speaks: {
      kind: 'user',
      tail: 3.3,
      fleet: 0.7,
      maturity: 0.4,
      features: { session_firsts: 14, action_own: 9, class_own: 9, action_peer: 8, class_peer: 8 },
    },
    quiet: [{ features: { session_firsts: 13 } }, { tail: 3.2 }],
  },
  'acts of hardly any peer among very many firsts': {
    family: 'new_behaviour',
    speaks: { tail: 2.6, maturity: 0.4, features: { session_firsts: 12, action_own: 5, action_peer: 10, class_peer: 10 } },
    quiet: [
      { tail: 2.5 },
      { features: { session_firsts: 11 } },
      { features: { action_own: 4.9 } },
      { features: { action_peer: 9.9 } },
      { features: { class_peer: 9.9 } },
    ],
  },
  'restricted data by acts of another role': {
    family: 'sensitive_access',
    speaks: {
      tail: 2.2,
      maturity: 0.4,
      features: { role_swap: 15, action_own: 7, class_own: 7, class_peer: 8, sensitive_first: 4 },
      facts: { sensitivity: 3 },
    },
    quiet: [
      { tail: 2.1 },
      { maturity: 0.39 },
      { outcome: 1 },
      { facts: { sensitivity: 2 } },
      { features: { role_swap: 14.9 } },
      { features: { action_own: 6.9 } },
      { features: { class_own: 6.9 } },
      { features: { class_peer: 7.9 } },
      { features: { sensitive_first: 3.9 } },
    ],
  },
}

for (const [name, limits] of Object.entries(LIMITS)) test(`limits of the rule: ${name}`, () => assert.deepEqual(brokenLimits(limits), []))

test('restricted data is told before new behaviour, which a person may let become usual, and also where that is quiet', () => {
  const features = { role_swap: 20, action_own: 9, class_own: 9, action_peer: 8, class_peer: 8, sensitive_first: 4, session_firsts: 8 }
  const sheet = { tail: 4, features, facts: { sensitivity: 3 } }
  assert.equal(family(sheet), 'sensitive_access')
  assert.equal(family({ ...sheet, features: { ...features, version_changed: 1 } }), 'sensitive_access')
  assert.equal(
    ruleOf(sheetOf(sheet), GROUP, (_, name) => name === 'new_behaviour'),
    'sensitive_access',
  )
})

test('in the largest company the most firsts that are counted are enough of a person', () => {
  const features = { role_swap: 20, action_own: 20, session_firsts: 20 }
  assert.equal(family({ kind: 'user', fleet: 2.5, tail: 9, features }), 'new_behaviour')
})
