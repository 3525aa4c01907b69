import assert from 'node:assert/strict'
import { test } from 'node:test'
import { techniquesOf } from '@plumbline/detector'
import { REASON_FAMILIES } from '@plumbline/schemas'
import fc from 'fast-check'
import { z } from 'zod'
import { toOcsf } from './ocsf.ts'
import { cefHeader, cefUnescape, cefValue, humanLine, toCef } from './text.ts'
import { alertFor, product } from './testing.ts'

const ms = z.number().int().min(946_684_800_000)
const observation = z.strictObject({
  value: z.string().min(1),
  count: z.number().int().optional(),
  timespan: z
    .object({
      type_id: z.union([z.literal(1), z.literal(5), z.literal(9)]),
      duration: z.number().int().optional(),
      duration_days: z.number().int().optional(),
      start_time: ms.optional(),
      end_time: ms.optional(),
    })
    .refine((t) => t.duration !== undefined || t.duration_days !== undefined || (t.start_time !== undefined && t.end_time !== undefined))
    .optional(),
})
const measured = z.strictObject({
  observation_parameter: z.string().min(1),
  observation_type: z.string(),
  observed_pattern: z.string(),
  observations: z.array(observation).min(1),
})

/**
 * What OCSF 1.8 requires of a Detection Finding and of each object in it ("required", "at_least_one", enumerations), and what this
 * product promises to fill besides.
 */
const DetectionFinding = z.object({
  activity_id: z.union([z.literal(1), z.literal(2), z.literal(3)]),
  activity_name: z.string(),
  category_uid: z.literal(2),
  class_uid: z.literal(2004),
  type_uid: z.union([z.literal(200_401), z.literal(200_402), z.literal(200_403)]),
  time: ms,
  severity_id: z.number().int().min(2).max(5),
  status_id: z.union([z.literal(1), z.literal(4)]),
  message: z.string().min(1),
  is_alert: z.boolean(),
  risk_score: z.number().int(),
  risk_level_id: z.number().int().min(0).max(4),
  confidence_id: z.number().int().min(1).max(3),
  confidence_score: z.number().int().min(0).max(100),
  metadata: z.object({
    version: z.literal('1.8.0'),
    product: z.object({ name: z.string(), vendor_name: z.string(), version: z.string() }),
    uid: z.string(),
    sequence: z.number().int(),
  }),
  finding_info: z.object({
    uid: z.uuid(),
    title: z.string().min(1),
    analytic: z.object({
      type_id: z.union([z.literal(1), z.literal(3), z.literal(4)]),
      type: z.enum(['Rule', 'Statistical', 'Learning (ML/DL)']),
      name: z.string(),
      uid: z.string(),
    }),
    attacks: z.array(
      z.strictObject({
        technique: z.object({ uid: z.string().regex(/^(AML\.)?T\d{4}/), name: z.string() }),
        version: z.string().regex(/^\d+\.\d+$/),
      }),
    ),
    tags: z.array(z.strictObject({ name: z.string().min(1), values: z.array(z.string().min(1)).min(1) })).optional(),
    related_events: z.array(z.object({ uid: z.string().min(1) })),
    related_events_count: z.number().int().min(1),
    created_time: ms,
    modified_time: ms,
  }),
  anomaly_analyses: z
    .array(
      z.strictObject({
        analysis_targets: z.array(z.strictObject({ name: z.string(), type: z.string() })).min(1),
        anomalies: z.array(measured).min(1),
        baselines: z.array(measured).min(1),
      }),
    )
    .min(1),
  evidences: z
    .array(z.object({ api: z.object({ operation: z.string() }), actor: z.object({ user: z.object({ uid: z.string() }) }) }))
    .min(1),
  resources: z.array(z.object({ name: z.string().min(1) })).min(1),
  remediation: z.object({ desc: z.string().min(1) }),
  unmapped: z.record(z.string(), z.unknown()),
})

test('an alert of any family, severity and activity is a valid OCSF 1.8 Detection Finding', () => {
  for (const family of REASON_FAMILIES)
    for (const severity of ['low', 'medium', 'high', 'critical'] as const)
      for (const activity of ['create', 'update', 'close'] as const) {
        const finding = DetectionFinding.parse(JSON.parse(JSON.stringify(toOcsf(alertFor(1, { family, severity, activity }), product))))
        assert.equal(finding.type_uid, 200_400 + finding.activity_id)
      }
})

test('entries of OWASP are tags: attacks are for the matrices of MITRE', () => {
  const techniques = [...techniquesOf(['toxic_flow'], 'agent')]
  const { finding_info: info } = DetectionFinding.parse(toOcsf({ ...alertFor(1), techniques }, product))
  assert.deepEqual(info.tags, [{ name: 'OWASP Top 10 for Agentic Applications 2026', values: ['ASI01 Agent Goal Hijack'] }])
  assert.deepEqual(
    info.attacks.map(({ technique }) => technique.uid),
    techniques.slice(0, -1).map(({ uid }) => uid),
  )
  assert.equal(DetectionFinding.parse(toOcsf({ ...alertFor(1), techniques: [] }, product)).finding_info.tags, undefined)
})

test('id, revision, observed against usual and technique stand where a SIEM looks for them', () => {
  const alert = alertFor(7, { revision: 3, activity: 'update' })
  const finding = DetectionFinding.parse(toOcsf(alert, product))
  assert.equal(finding.finding_info.uid, alert.id)
  assert.equal(finding.metadata.sequence, 3)
  assert.equal(finding.metadata.uid, `${alert.id}:3`)
  assert.equal(finding.finding_info.attacks[0]?.technique.uid, 'AML.T0085.001')
  const analysis = finding.anomaly_analyses[0]
  assert.deepEqual(
    analysis?.anomalies.map((a) => a.observations[0]?.value),
    ['1 events: hr', '9000000 bytes'],
  )
  assert.deepEqual(
    analysis?.baselines.map((a) => a.observations[0]?.value),
    ['never', '200000 bytes'],
  )
  assert.equal(analysis?.baselines[0]?.observations[1]?.value, '0 of 11 peers')
  assert.equal(finding.evidences[0]?.actor.user.uid, 'support-bot')
  assert.equal(finding.unmapped.suppressed, 190)
  assert.deepEqual([finding.finding_info.related_events_count, finding.finding_info.related_events.length], [214, 1])
})

test('a finding says which analysis spoke and which release of a matrix its technique is of', () => {
  const finding = (change: Parameters<typeof alertFor>[1]) => DetectionFinding.parse(toOcsf(alertFor(1, change), product)).finding_info
  const { facts } = alertFor(1)
  const young = { ...facts, baseline: { ...facts.baseline, modelled: false } }
  assert.deepEqual([finding({}).analytic.type_id, finding({}).analytic.type], [4, 'Learning (ML/DL)'])
  assert.deepEqual([finding({ critical: true }).analytic.type_id, finding({ critical: true }).analytic.type], [1, 'Rule'])
  assert.equal(finding({ critical: true, facts: young }).analytic.type_id, 1)
  assert.equal(finding({ facts: young }).analytic.type_id, 3)
  const techniques = [...alertFor(1).techniques, { uid: 'T1078', name: 'Valid Accounts', framework: 'ATT&CK' as const }]
  assert.deepEqual(
    finding({ techniques }).attacks.map((a) => [a.technique.uid, a.version]),
    [
      ['AML.T0085.001', '5.6'],
      ['T1078', '17.1'],
    ],
  )
})

const hostile = fc.string({ unit: 'binary', maxLength: 60 })

test('no value can add a line, a field or a record to CEF or to the terminal', () => {
  fc.assert(
    fc.property(hostile, hostile, hostile, (identity, headline, tenant) => {
      const base = alertFor(1)
      const alert = {
        ...base,
        text: { ...base.text, headline },
        facts: { ...base.facts, tenant, identity: { ...base.facts.identity, id: identity } },
      }
      const line = toCef(alert, product)
      assert.doesNotMatch(line, /[\r\n\u0000]/)
      const header = line.slice(0, line.length).match(/^CEF:0\|(?:(?:[^\\|]|\\.)*\|){6}/u)
      assert.ok(header)
      assert.doesNotMatch(humanLine(alert), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
    }),
    { seed: 3, numRuns: 500 },
  )
})

test('a CEF value comes back as it went in', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 80 }), (s) => cefUnescape(cefValue(s)) === s),
    { seed: 5, numRuns: 1000 },
  )
  for (const s of ['a=b', '\\', '\\n', 'x\ny', 'a\\=b', '\\\\n']) assert.equal(cefUnescape(cefValue(s)), s)
  assert.equal(cefHeader('a|b\\c\nd'), 'a\\|b\\\\c d')
})

test('the human line says when, how bad and who, in one line', () => {
  assert.equal(
    humanLine(alertFor(0)),
    '2026-11-22T03:06:00.000Z HIGH [default] support-bot (agent, owner CX Platform) read HR 214 times in 6 min, on behalf of u-4821. In 41 days it never read HR; none of its 11 peers do. This is restricted data: HR. Not visible: tool arguments. First: pause its grant to read HR. Alert 00000000-0000-5000-8000-000000000000.',
  )
})
