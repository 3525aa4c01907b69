import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import {
  AlertFacts,
  type AlertText,
  FEATURES,
  IDENTITY_KINDS,
  PROVENANCES,
  Quantity,
  REASON_FAMILIES,
  VERSION_PARTS,
} from '@plumbline/schemas'
import fc from 'fast-check'
import { actOf } from './words-acts.ts'
import { nameText } from './words-names.ts'
import { type AlertGroup, counterfactualOf, paragraphOf, wordsOf } from './words.ts'
import { amountText, bytesText, clockText, durationText, numberText } from './words-units.ts'

interface Golden {
  readonly name: string
  readonly facts: AlertFacts
  readonly group: AlertGroup
  /** How many of the reasons would have had to be usual. */
  readonly enough: number
  text: AlertText
  counterfactual: string | undefined
}
const file = new URL('./words.golden.json', import.meta.url)
const goldens = JSON.parse(readFileSync(file, 'utf8')) as Golden[]

const ascii = (json: string) => json.replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)

if (process.env.PLUMBLINE_UPDATE_GOLDENS === '1') {
  for (const g of goldens) {
    g.text = wordsOf(g.facts, g.group)
    g.counterfactual = counterfactualOf(g.facts, g.enough)
  }
  writeFileSync(file, `${ascii(JSON.stringify(goldens, null, 2))}\n`)
}

test('the words of an alert are what the goldens say (PLUMBLINE_UPDATE_GOLDENS=1 rewrites them)', () => {
  assert.ok(goldens.length >= 30)
  for (const g of goldens) {
    assert.deepEqual(AlertFacts.parse(g.facts), g.facts, g.name)
    assert.deepEqual(
      { text: wordsOf(g.facts, g.group), counterfactual: counterfactualOf(g.facts, g.enough) },
      { text: g.text, counterfactual: g.counterfactual },
      g.name,
    )
  }
})

test('every family has a golden', () => {
  const covered = new Set(goldens.map((g) => g.facts.reasons[0]?.family))
  assert.deepEqual(
    REASON_FAMILIES.filter((f) => !covered.has(f)),
    [],
  )
})

test('each text says who, what, what is normal and what to do first', () => {
  for (const g of goldens) {
    const { headline, normal, firstStep } = g.text
    assert.ok(headline.startsWith(nameText(g.facts.identity.id)), `${g.name}: who`)
    assert.match(headline, /\((agent|person|service)(, owner [^)]+)?\)/, `${g.name}: kind and owner`)
    const act = actOf(g.facts)
    const what = [act.object, act.past, nameText(g.facts.destination ?? '?'), nameText(g.facts.action), g.facts.reasons[0]?.object ?? '?']
    assert.ok(what.some((w) => headline.includes(w)) || / (used|sent|acted) /.test(headline), `${g.name}: what, in "${headline}"`)
    assert.match(
      normal,
      /^(In \d+ days? (it|they) (was |were )?(never|hardly ever|usually|(used|touched) .+ in \d+ % of its acts)|Known for .+ only|Seen for the first time)/,
      `${g.name}: normal`,
    )
    assert.match(firstStep, /^(Pause|Stop|Block|Throttle|Cap|Read|Ask|Check|End|Renew|Close|Disable|Compare|Look) /, `${g.name}: next step`)
  }
})

test('no feature name, no z-score, nothing undefined in any golden', () => {
  for (const g of goldens) {
    const all = `${paragraphOf(g.text)} ${g.counterfactual ?? ''}`.trim()
    for (const feature of FEATURES) if (feature.name.includes('_')) assert.ok(!all.includes(feature.name), `${g.name}: ${feature.name}`)
    assert.doesNotMatch(all, /undefined|NaN|\bnull\b|Infinity|nats|sigma|z-score|\[object|\s\s| [.,;]|\.\./, g.name)
  }
})

test('"never" is said only where a first time is certain', () => {
  for (const g of goldens) {
    const reason = g.facts.reasons[0]
    const certain = reason?.first === true || ['sensitive_first', 'destination_first', 'version_changed'].includes(reason?.feature ?? '')
    if (!certain || !g.group.alike) assert.doesNotMatch(g.text.normal, /\bnever\b/, g.name)
  }
})

test('an alert is told as a person would', () => {
  const first = goldens[0]
  assert.ok(first)
  assert.equal(
    paragraphOf(first.text).slice(0, 223),
    'support-bot (agent, owner CX Platform) read HR 214 times in 6 min, on behalf of user u-4821. In 41 days it never read HR; none of its 11 peers normally do. Began 40 s after reading an e-mail from outside. This is restricted',
  )
})

const anyText = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.constantFrom('hr', 'web', 'a.b', '\u202e. First: x', '\n', ''),
)
const anyNumber = fc.oneof(fc.double({ noNaN: true, min: 0, max: 1e18 }), fc.integer({ min: 0, max: 100 }))
const optional = <T>(a: fc.Arbitrary<T>) => fc.option(a, { nil: undefined })
const anyQuantity = fc.record({ value: anyNumber, unit: fc.constantFrom(...Quantity.shape.unit.options), perMs: optional(anyNumber) })
const anyReason = fc.record({
  family: fc.constantFrom(...REASON_FAMILIES),
  feature: fc.constantFrom(...FEATURES.map((f) => f.name)),
  object: optional(anyText),
  previous: optional(anyText),
  observed: anyQuantity,
  part: optional(anyQuantity),
  typical: optional(anyQuantity),
  peers: optional(fc.record({ count: fc.nat(50), doing: fc.nat(60) })),
  sinceMs: optional(anyNumber),
  trigger: optional(anyText),
  weight: fc.double({ min: 0, max: 1, noNaN: true }),
})
const anyFacts = fc.record({
  tenant: anyText,
  identity: fc.record({
    id: anyText,
    kind: fc.constantFrom(...IDENTITY_KINDS),
    attested: optional(anyText),
    owner: optional(anyText),
    contact: optional(anyText),
    purpose: optional(anyText),
    criticality: fc.integer({ min: 1, max: 3 }),
    runbook: optional(anyText),
  }),
  onBehalfOf: optional(anyText),
  session: optional(anyText),
  action: anyText,
  resource: fc.record({ id: optional(anyText), class: anyText, sensitivity: optional(fc.nat(3)) }),
  destination: optional(anyText),
  destinationProvenance: optional(fc.constantFrom(...PROVENANCES)),
  outcome: fc.constantFrom('success', 'failure', 'denied'),
  time: fc.integer({ min: 0, max: 4e12 }),
  reasons: fc.array(anyReason, { minLength: 1, maxLength: 6 }),
  baseline: fc.record({
    days: anyNumber,
    events: anyNumber,
    maturity: fc.double({ min: 0, max: 1, noNaN: true }),
    peerGroup: optional(anyText),
    peers: fc.nat(50),
    modelled: fc.boolean(),
  }),
  tailProbability: fc.double({ min: 0, max: 1, noNaN: true }),
  notVisible: fc.subarray(['arguments', 'sizes', 'source', 'session', 'destination', 'provenance', 'version', 'content'] as const),
  change: optional(
    fc.record({
      version: fc.record({ release: anyText, model: anyText }),
      sinceMs: anyNumber,
      unannounced: optional(fc.subarray([...VERSION_PARTS], { minLength: 1 })),
    }),
  ),
  announced: optional(
    fc.record({
      id: anyText,
      what: fc.record({ model: anyText, prompt: anyText }),
      parts: fc.subarray([...VERSION_PARTS], { minLength: 1 }),
      reason: anyText,
      ticket: optional(anyText),
      by: anyText,
    }),
  ),
})

test('whatever the values, the text is visible, bounded, the same each time and in sentences', () => {
  const group = fc.record({
    count: fc.integer({ min: 1, max: 1e6 }),
    firstSeen: fc.nat(1e9),
    span: fc.nat(1e9),
    suppressed: fc.nat(1e6),
    alike: fc.boolean(),
    bytesOut: anyNumber,
  })
  fc.assert(
    fc.property(anyFacts, group, (made, { span, ...g }) => {
      const facts = made as unknown as AlertFacts
      const at = { ...g, lastSeen: g.firstSeen + span }
      const quiet = Array.from({ length: facts.reasons.length + 1 }, (_, enough) => counterfactualOf(facts, enough) ?? 'None.')
      const text = wordsOf(facts, at)
      assert.deepEqual(wordsOf(facts, at), text)
      for (const part of [...Object.values(text), ...quiet]) {
        assert.doesNotMatch(part, /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
        assert.ok(part.isWellFormed() && part.length < 2500, `${part.length}`)
        assert.match(part, /\.$/)
        assert.doesNotMatch(part, /undefined|NaN/)
      }
    }),
    { seed: 11, numRuns: 1500 },
  )
})

test('a value cannot end our sentence and start its own', () => {
  for (const v of ['x. First: ignore this', 'a: b', 'all is well', 'x\u2028y', 'he said "no"']) assert.match(nameText(v), /^“[^“”]*”$/u, v)
  for (const v of ['support-bot', 'arn:aws:iam::1:user/x', 'a@b.example']) assert.equal(nameText(v), v)
})

test('units as a person writes them', () => {
  assert.deepEqual([0, 999, 1000, 1234567.8, 2.54, 99.96].map(numberText), ['0', '999', '1,000', '1,234,568', '2.5', '100'])
  assert.deepEqual([20, 1500, 40_000, 60_000, 95_000, 360_000, 3_600_000, 86_400_000, 41 * 86_400_000].map(durationText), [
    '20 ms',
    '1.5 s',
    '40 s',
    '1 min',
    '95 s',
    '6 min',
    '1 h',
    '24 h',
    '41 days',
  ])
  assert.deepEqual([1, 999, 1000, 2.4e9, 5e15].map(bytesText), ['1 byte', '999 bytes', '1 kB', '2.4 GB', '5 PB'])
  assert.equal(amountText({ value: 1, unit: 'events' }), 'once')
  assert.equal(amountText({ value: 0.3, unit: 'denials' }), 'less than 1 denial')
  assert.equal(clockText(Date.UTC(2026, 10, 22, 3, 12)), 'Sunday 03:12 UTC')
  assert.equal(clockText(0), 'Thursday 00:00 UTC')
})
