import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Alert } from '@plumbline/schemas'
import { type Act, DAY, HOUR, MINUTE, Rig, SECOND, START, strictRelease, work } from '../rig.testkit.ts'

/**
 * From events to words: what an alert says of an object is of that object, and what is known of everything together is
 * told as a total.
 */

const rigOf = (tailFloor = 0): Rig => new Rig({ config: { tailFloor } })
/** A release after which two in a hundred are worth an alert, so that a single oddity shows. */
const touchy = (rig: Rig): void => rig.release(strictRelease(rig.config, false, { thresholds: { tailFloorLog10: 2, alertTailLog10: 2 } }))
const newest = (rig: Rig, family: Alert['family']): Alert => {
  const alert = rig.alerts.findLast((a) => a.family === family)
  assert.ok(alert, `${family} among ${rig.alerts.map((a) => a.family).join(', ')}`)
  return alert
}

const INVOICES: Partial<Act> = { class: 'invoices', action: 'invoice.read', sensitivity: 2 }
const HR: Omit<Act, 'at'> = { class: 'hr', action: 'hr.read', sensitivity: 3, bytesIn: 5e7, session: 'x' }

/** Twenty invoices, which are usual, then one HR record. */
const hrAfterInvoices = (): { readonly rig: Rig; readonly end: number } => {
  const rig = rigOf()
  const end = work(rig, 14, 30, INVOICES)
  rig.strict()
  for (let i = 0; i < 20; i++) rig.act({ at: end + i * MINUTE, ...INVOICES, session: 'x' })
  rig.act({ at: end + 20 * MINUTE, ...HR, resource: 'employees/7' })
  return { rig, end }
}

test('one HR record after twenty invoices is one, and the total of sensitive reads is no number of HR', () => {
  const { rig, end } = hrAfterInvoices()
  const { text, facts } = newest(rig, 'sensitive_access')
  assert.equal(text.headline, 'bot (agent, owner unknown) read HR (employees/7).')
  assert.equal(text.normal, 'In 14 days it never read HR.')
  assert.deepEqual(facts.reasons[0]?.observed, { value: 1, unit: 'events' })
  for (let i = 1; i < 4; i++) rig.act({ at: end + (20 + i) * MINUTE, ...HR })
  assert.equal(newest(rig, 'sensitive_access').text.headline, 'bot (agent, owner unknown) read HR 4 times in 3 min.')
})

test('where the number of sensitive reads leads, it is told as one of all classes together', () => {
  const rig = rigOf(1e-5)
  const end = work(rig, 14, 30)
  // Known already: the first use of either would be the graver news, and keep the word.
  for (let i = 0; i < 8; i++) rig.act({ at: end - 8 * HOUR + i * HOUR, ...(i % 2 === 0 ? INVOICES : HR), bytesIn: 2000, session: 'known' })
  rig.strict()
  const from = rig.log.length
  for (let i = 0; i < 40; i++) rig.act({ at: end + i * 10 * SECOND, ...(i % 2 === 0 ? INVOICES : HR), bytesIn: 2000, session: 'x' })
  const total = rig.alerts.find((a) => a.facts.reasons[0]?.feature === 'sensitive_hour')
  assert.ok(total)
  const { observed, object } = total.facts.reasons[0]!
  assert.deepEqual([object, observed.value], [undefined, 1 + total.replay.position.offset - from], 'all of them were sensitive')
  assert.match(
    total.text.headline,
    new RegExp(`asked for sensitive data ${observed.value} times in 1 h \\(last act: read (HR|invoices)\\)`),
  )
  assert.doesNotMatch(`${total.text.headline} ${total.text.normal}`, /never/)
})

const UPLOAD: Omit<Act, 'at'> = { action: 'files.upload', class: 'files', destination: 'partner.example.com' }

test('gigabytes to the usual partner are not said of the new host that got the last of them', () => {
  const rig = rigOf(1e-4)
  const end = work(rig, 14, 30, { ...UPLOAD, bytesOut: 1e6 })
  rig.strict()
  for (let i = 0; i < 20; i++) rig.act({ at: end + i * 2 * MINUTE, ...UPLOAD, bytesOut: 200e6, session: 'x' })
  rig.act({ at: end + 45 * MINUTE, ...UPLOAD, bytesOut: 1e6, destination: 'drop.evil.test', session: 'y' })
  const { text, facts } = newest(rig, 'volume')
  assert.equal(text.headline, 'bot (agent, owner unknown) sent 4 GB in 1 h, the last 1 MB of it to drop.evil.test.')
  assert.deepEqual([facts.reasons[0]?.object, facts.reasons[0]?.part], [undefined, { value: 1e6, unit: 'bytes' }])
})

test('transfers to a new host are told one by one and summed over their own group', () => {
  const rig = rigOf()
  const end = work(rig, 14, 250, { ...UPLOAD, bytesOut: 16e6 })
  rig.strict()
  const today = work(rig, 1, 250, { ...UPLOAD, bytesOut: 16e6 }, end) - DAY + 21 * HOUR
  const drop = (i: number): void => void rig.act({ at: today + i * MINUTE, ...UPLOAD, bytesOut: 40e6, destination: 'drop.evil.test' })
  drop(0)
  assert.equal(newest(rig, 'volume').text.headline, 'bot (agent, owner unknown) sent 40 MB to drop.evil.test in one go.')
  for (let i = 1; i < 4; i++) drop(i)
  assert.equal(
    newest(rig, 'volume').text.headline,
    'bot (agent, owner unknown) sent 40 MB to drop.evil.test in one go, 160 MB in 4 such acts in 3 min.',
  )
})

/** Forty reads of two classes a day, one resource. */
const pages = (rig: Rig, day: number, i: number, act: Partial<Act> = {}): void =>
  void rig.act({
    at: START + day * DAY + i * MINUTE,
    action: 'page.read',
    class: i % 2 === 0 ? 'docs' : 'wiki',
    resource: 'page/1',
    session: `s${day}-${Math.floor(i / 10)}`,
    ...act,
  })
const reader = (): Rig => {
  const rig = rigOf(1e-2)
  for (let day = 0; day < 14; day++) for (let i = 0; i < 40; i++) pages(rig, day, i)
  touchy(rig)
  return rig
}

test('resources of several classes are counted together and said of none', () => {
  const rig = reader()
  for (let i = 0; i < 40; i++) pages(rig, 14, i, { resource: `new/${i}` })
  const many = rig.alerts.findLast((a) => a.facts.reasons[0]?.feature === 'enumeration_hour')
  assert.ok(many)
  const { observed, object } = many.facts.reasons[0]!
  assert.equal(object, undefined)
  assert.ok(observed.value > 20 && observed.value <= 40)
  assert.ok(many.text.headline.includes(`touched at least ${observed.value} different resources in 1 h (last act: read `))
  assert.equal(many.text.normal.split(';')[0], 'In 14 days it usually touched 1 resource an hour')
})

test('denials of one class are not said of the class denied last', () => {
  const rig = reader()
  for (let i = 0; i < 24; i++) pages(rig, 14, i, { outcome: 'denied', class: i < 20 ? 'wiki' : 'docs' })
  const { text, facts } = newest(rig, 'probing')
  assert.equal(text.headline, 'bot (agent, owner unknown) ran into 24 denials in 1 h (last act: tried to read docs and was denied).')
  assert.equal(facts.reasons[0]?.object, undefined)
})

test('a group in which different things were done is not told as n times the last of them', () => {
  const rig = rigOf()
  rig.policy({ rules: [{ id: 'r1', identities: '*', effect: 'deny', classes: ['bad*'] }] })
  const act = (i: number, class_: string): void => void rig.act({ at: START + i * MINUTE, class: class_, session: 's' })
  for (let i = 0; i < 3; i++) act(i, 'bad')
  assert.match(rig.alerts.at(-1)!.text.headline, /read bad 2 times in 60 s|read bad 2 times in 1 min/)
  act(3, 'bad2')
  const { headline, normal } = rig.alerts.at(-1)!.text
  assert.equal(headline, 'bot (agent, owner unknown) read bad2 against rule r1, the latest of 4 events of this kind in 3 min.')
  assert.doesNotMatch(normal, /never/)
})

test('what alerted before does not happen for the first time again', () => {
  const { rig, end } = hrAfterInvoices()
  rig.act({ at: end + 3 * DAY, ...HR })
  const again = newest(rig, 'sensitive_access')
  assert.equal(again.activity, 'create')
  assert.match(again.text.normal, /hardly ever read HR/)
})

test('a change of version is told for a week, and what the text said only when it was looked at', () => {
  const read = (sinceMs: number, content?: Act['content']): Alert => {
    const rig = rigOf()
    const end = work(rig, 14, 30, { ...INVOICES, version: 'v1' })
    rig.strict()
    rig.act({ at: end, ...INVOICES, version: 'v2' })
    rig.act({ at: end + sinceMs, ...HR, version: 'v2', ...(content === undefined ? {} : { content }) })
    return newest(rig, 'sensitive_access')
  }
  const soon = read(40 * MINUTE)
  assert.deepEqual(soon.facts.change, { version: { release: 'v2' }, sinceMs: 40 * MINUTE })
  assert.match(soon.text.why, /This follows a change of version 40 min before: now release v2\./)
  assert.match(soon.text.certainty, /Not visible: .*what the text said/)
  const later = read(8 * DAY, { instructionLikeness: 0 })
  assert.equal(later.facts.change, undefined)
  assert.doesNotMatch(later.text.why + later.text.certainty, /change of version|what the text said/)
})

test('tokens are told as the event says them, those that were read where they are what counts', () => {
  for (const [call, told] of [
    [{ tokensIn: 4_000, tokensOut: 300_000 }, 300_000],
    [{ tokensIn: 90_000_000, tokensOut: 10 }, 90_000_000],
  ] as const) {
    const rig = rigOf(1e-2)
    const end = work(rig, 14, 30, { action: 'chat', class: 'model', tokensIn: 4_000, tokensOut: 380 })
    rig.strict()
    rig.policy({ rules: [{ id: 'no-model', identities: '*', effect: 'deny', classes: ['model'] }] })
    rig.act({ at: end, action: 'chat', class: 'model', session: 'x', ...call })
    const reason = rig.alerts.flatMap(({ facts }) => facts.reasons).find(({ feature }) => feature === 'tokens_own')
    assert.deepEqual(reason?.observed, { value: told, unit: 'tokens' })
  }
})
