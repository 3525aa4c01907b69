import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Event, Policy, REASON_FAMILIES } from '@plumbline/schemas'
import {
  ACCEPTED_HIJACK_REASONS,
  ACCEPTED_REASONS,
  ATTACK_KINDS,
  companyPolicy,
  DAY,
  demoDay,
  eventJson,
  generate,
  generateCases,
  generateNdjson,
  type GenerateOptions,
  HIJACK_VARIANTS,
  type Labelled,
  LEVELS,
  listCases,
  listVictims,
  type Subtlety,
  writeLabels,
} from './index.ts'

const small: GenerateOptions = { days: 6, identities: 60, eventsPerIdentityDay: 40, attacks: { perKind: 1 } }
const text = (o: GenerateOptions): string => {
  const chunks: Buffer[] = []
  generateNdjson(o, (c) => chunks.push(c))
  return Buffer.concat(chunks).toString('utf8')
}
const digest = (s: string): string => createHash('sha256').update(s).digest('hex')
const usual: GenerateOptions = { seed: 3, eventsPerIdentityDay: 40 }
const standard: Labelled[] = [...generate(usual)]

test('the same options give the same bytes, another seed gives others', () => {
  assert.equal(digest(text(small)), digest(text(small)))
  assert.notEqual(digest(text(small)), digest(text({ ...small, seed: 2 })))
})

test('events come in event-time order with unique ids', () => {
  const ids = new Set<string>()
  let last = 0
  for (const { event } of standard) {
    assert.ok((event.time as number) >= last)
    last = event.time as number
    ids.add(event.id)
  }
  assert.equal(ids.size, standard.length)
})

test('every event passes the schema and prints as JSON.stringify would, at each level', () => {
  for (const level of LEVELS)
    for (const seed of [1, 2]) {
      let i = 0
      for (const { event, label } of generate({
        ...small,
        level,
        seed,
        arguments: seed === 2,
        tenant: seed === 2 ? 'quote"d' : 'default',
      })) {
        assert.equal(eventJson(event), JSON.stringify(event))
        if (i++ % 5 !== 0 && label === null) continue
        const parsed = Event.safeParse(event)
        assert.ok(parsed.success, `${JSON.stringify(event)} ${parsed.error?.message}`)
      }
    }
})

test('each level carries what it says and tells the same story', () => {
  const [l0, l1, l2] = LEVELS.map((level) => [...generate({ ...small, level })].map((x) => x.event))
  assert.deepEqual(
    l0!.map((e) => [e.id, e.time, e.action, e.tokensOut]),
    l2!.map((e) => [e.id, e.time, e.action, e.tokensOut]),
  )
  assert.ok(
    l0!.every(
      (e) =>
        e.bytesOut === undefined &&
        e.source === undefined &&
        e.destination === undefined &&
        e.delegation === undefined &&
        e.resource.id === undefined,
    ),
  )
  assert.ok(l1!.every((e) => e.content === undefined && e.destinationProvenance === undefined && e.resource.sensitivity === undefined))
  assert.ok(l1!.some((e) => e.bytesOut !== undefined && e.destination !== undefined))
  assert.ok(l2!.some((e) => e.content?.untrusted === true) && l2!.some((e) => e.destinationProvenance === 'tool'))
})

test('benign life is the same with and without attacks and twins', () => {
  const benign = (o: GenerateOptions): string =>
    digest(
      [...generate(o)]
        .filter((x) => x.label === null)
        .map((x) => eventJson(x.event))
        .join('\n'),
    )
  const without = benign({ ...small, attacks: 'none' })
  assert.equal(benign(small), without)
  assert.equal(benign({ ...small, twins: false }), without)
  assert.equal(benign({ ...small, attacks: { subtlety: 1, size: [1.2, 1000] } }), without)
})

test('every kind has attacks with key events and a twin, at every subtlety', () => {
  for (const subtlety of [1, 2, 3, 4, 5] as const) {
    const cases = generateCases({ seed: 7, attacks: { subtlety, kinds: ATTACK_KINDS } })
    for (const kind of ATTACK_KINDS) {
      const mine = cases.flatMap((x) => (x.label?.attack === kind ? [x.label] : []))
      assert.ok(
        mine.some((l) => !l.twin && l.key),
        `${kind} ${subtlety} has key events`,
      )
      assert.ok(
        mine.some((l) => l.twin),
        `${kind} ${subtlety} has a twin`,
      )
      assert.ok(mine.every((l) => l.subtlety === (subtlety as Subtlety)))
    }
    for (const v of HIJACK_VARIANTS)
      assert.ok(
        cases.some((x) => x.label?.variant === v && !x.label.twin && x.label.key),
        `${v} ${subtlety}`,
      )
  }
})

test('sizes follow what was asked', () => {
  const volume = (size: number): number =>
    generateCases({ days: 8, attacks: [{ kind: 'exfil_overnight', size, spread: 'piece' }], twins: false }).reduce(
      (n, x) => n + (x.label?.key === true ? (x.event.bytesOut ?? 0) : 0),
      0,
    )
  const ratio = volume(500) / volume(5)
  assert.ok(ratio > 95 && ratio < 105, String(ratio))
  const reads = generateCases({ days: 8, attacks: [{ kind: 'hr_access', size: 70, spread: 'piece' }], twins: false }).filter(
    (x) => x.event.action === 'hr.read_employee',
  )
  assert.equal(reads.length, 210)
})

test('the hijack goes untrusted read, sensitive read, write to a destination first seen in a tool result', () => {
  const flow = generateCases({ ...usual, attacks: [{ kind: 'hijack', variant: 'flow', count: 6 }], twins: false })
  const benign = new Set(standard.flatMap((x) => (x.label === null ? [`${x.event.identity.id} ${x.event.destination}`] : [])))
  const names = new Set(flow.map((x) => x.label!.case))
  assert.equal(names.size, 6)
  for (const name of names) {
    const keys = flow.filter((x) => x.label!.case === name && x.label!.key).map((x) => x.event)
    assert.equal(keys[0]!.content?.untrusted, true)
    assert.ok((keys[1]!.resource.sensitivity ?? 0) >= 2)
    const out = keys[keys.length - 1]!
    assert.equal(out.destinationProvenance, 'tool')
    assert.ok(!benign.has(`${out.identity.id} ${out.destination}`))
    assert.equal(new Set(keys.map((e) => e.session)).size, 1)
  }
})

test('robots are exactly constant', () => {
  const by = new Map<string, { times: number[]; rest: Set<string> }>()
  for (const { event: e, label } of standard) {
    if (label !== null || (e.peerGroup !== 'monitor' && e.peerGroup !== 'line-robot')) continue
    const known = by.get(e.identity.id) ?? { times: [], rest: new Set() }
    by.set(e.identity.id, known)
    known.times.push(e.time as number)
    known.rest.add(JSON.stringify({ ...e, id: '', time: 0 }))
  }
  assert.ok(by.size >= 8)
  for (const [id, { times, rest }] of by) {
    assert.equal(rest.size, 1, id)
    assert.equal(new Set(times.slice(1).map((t, i) => t - times[i]!)).size, 1, id)
  }
})

const visit = (v: unknown, path: string, on: (path: string, leaf: unknown) => void): void => {
  if (typeof v !== 'object' || v === null) on(path, v)
  else for (const k in v) visit((v as Record<string, unknown>)[k], Array.isArray(v) ? `${path}[]` : `${path}.${k}`, on)
}
/** A string with its letters, digits and hashes made alike. */
const shape = (v: unknown): string =>
  typeof v !== 'string'
    ? typeof v
    : v
        .replace(/[0-9a-f]{12,}/g, 'h')
        .replace(/[a-zA-Z]+/g, 'a')
        .replace(/\d+/g, '9')
        .replace(/(-a)+/g, '-a')

test('labels do not leak into events', () => {
  const known = new Set<string>()
  const seen = new Set<unknown>()
  standard.forEach(({ event, label }, i) => {
    if (label !== null) return
    visit(event, '', (path, v) => {
      const unique = path === '.id' || path === '.session'
      if (seen.has(`${path}${typeof v === 'string' ? v : ''}`) || (unique && i > 5_000)) return
      seen.add(`${path}${typeof v === 'string' ? v : ''}`)
      known.add(`${path} ${shape(v)}`)
    })
  })
  const labelled = standard.filter((x) => x.label !== null)
  for (const { event } of labelled) visit(event, '', (path, v) => assert.ok(known.has(`${path} ${shape(v)}`), `${path} ${String(v)}`))
  const mean = labelled.reduce((s, x) => s + Number.parseInt(x.event.id.slice(0, 6), 16) / 0x1000000, 0) / labelled.length
  assert.ok(Math.abs(mean - 0.5) < 4 * Math.sqrt(1 / 12 / labelled.length), String(mean))
  assert.ok(standard.every((x) => !/attack|twin|hijack|exfil|evil/i.test(eventJson(x.event))))
})

test('the label file names the labelled events of the stream, and no others', () => {
  const lines: string[] = []
  writeLabels(usual, (c) => lines.push(...c.toString('utf8').trim().split('\n')))
  const named = lines.map((l) => JSON.parse(l) as { event: string; case: string })
  assert.deepEqual(
    named.map((l) => [l.event, l.case]),
    standard.flatMap((x) => (x.label === null ? [] : [[x.event.id, x.label.case]])),
  )
})

test('the asked-for number of events is met within a fifth', () => {
  for (const [identities, rate] of [
    [200, 100],
    [100, 300],
    [30, 60],
  ] as const) {
    const n = generateNdjson({ days: 7, identities, eventsPerIdentityDay: rate, attacks: 'none' }, () => {})
    const per = n / (7 * identities)
    assert.ok(per > rate * 0.75 && per < rate * 1.25, `${identities} ${rate}: ${per}`)
  }
})

test('benign life holds what the options say', () => {
  const quiet = [...generate({ days: 12, eventsPerIdentityDay: 40, attacks: 'none', benign: false })]
  const lively = [...generate({ days: 12, eventsPerIdentityDay: 40, attacks: 'none' })]
  const releases = (xs: Labelled[]): number => new Set(xs.map((x) => `${x.event.peerGroup} ${x.event.identity.version?.release}`)).size
  assert.ok(releases(lively) > releases(quiet) + 10)
  const firstDay = (xs: Labelled[]): number =>
    new Set(xs.filter((x) => (x.event.time as number) < (xs[0]!.event.time as number) + 4 * DAY).map((x) => x.event.identity.id)).size
  assert.ok(firstDay(lively) < 200 && firstDay(lively) > 150)
  assert.ok(new Set(lively.map((x) => x.event.source?.country)).size > new Set(quiet.map((x) => x.event.source?.country)).size)
})

test('the demo is small and ends with the three seed cases', () => {
  const options = demoDay(1)
  const all = [...generate(options)]
  assert.ok(all.length > 30_000 && all.length < 62_000, String(all.length))
  const attacks = new Set(all.flatMap((x) => (x.label !== null && !x.label.twin ? [x.label.attack] : [])))
  assert.deepEqual([...attacks].sort(), ['exfil_overnight', 'hijack', 'hr_access'])
  const end = options.startTime! + options.days! * DAY
  for (const x of all) if (x.label !== null) assert.ok((x.event.time as number) > end - 12 * 3_600_000)
})

test('cases are listed with who, when and how much', () => {
  const cases = listCases(usual)
  const events = standard.filter((x) => x.label !== null).length
  assert.equal(
    cases.reduce((n, c) => n + c.events, 0),
    events,
  )
  for (const c of cases) assert.ok(c.from <= c.to && c.identities.length > 0 && c.keyEvents > 0 && c.keyEvents <= c.events, c.case)
})

test('one attack can be placed on a named identity at a given time', () => {
  const at = Date.UTC(2026, 9, 14, 11)
  const cases = generateCases({ attacks: [{ kind: 'hr_access', identity: 'support-bot-03', at, size: 20, spread: 'piece' }], twins: false })
  assert.ok(cases.length > 50 && cases.every((x) => x.event.identity.id === 'support-bot-03' && (x.event.time as number) >= at))
})

test('any attack or twin can be placed on any identity it applies to', () => {
  const at = Date.UTC(2026, 9, 14, 11)
  for (const kind of ATTACK_KINDS)
    for (const twinOnly of [false, true]) {
      const victims = listVictims({}, kind, twinOnly)
      assert.ok(victims.length > 0)
      const identity = victims[0]!
      const cases = generateCases({ attacks: [{ kind, identity, at, twinOnly }], twins: false })
      assert.ok(cases.length > 0 && cases.every((x) => x.label!.twin === twinOnly), `${kind} ${identity} ${twinOnly}`)
      if (kind !== 'bad_tool_fleet')
        assert.ok(
          cases.some((x) => x.event.identity.id === identity),
          `${kind} ${identity}`,
        )
    }
  assert.throws(() => generateCases({ attacks: [{ kind: 'burst', identity: 'support-bot-01' }] }), RangeError)
})

test('accepted reasons are families, and attacks.md says the same', () => {
  const families = new Set<string>(REASON_FAMILIES)
  const doc = readFileSync(new URL('../attacks.md', import.meta.url), 'utf8').replace(/\s+/g, ' ')
  for (const kind of ATTACK_KINDS) {
    assert.ok(ACCEPTED_REASONS[kind].length > 0 && ACCEPTED_REASONS[kind].every((f) => families.has(f)))
    assert.ok(doc.includes(`| ${kind} | ${ACCEPTED_REASONS[kind].join(', ')} |`), kind)
  }
  for (const v of HIJACK_VARIANTS) assert.ok(doc.includes(`\`${v}\` ${ACCEPTED_HIJACK_REASONS[v].join(', ')}`), v)
})

test('the policy of the company is valid', () => {
  assert.ok(Policy.safeParse(companyPolicy()).success)
})

test('options out of range are refused', () => {
  const wrong = [
    { days: 0 },
    { identities: 3 },
    { eventsPerIdentityDay: -1 },
    { attacks: { kinds: ['nap' as 'burst'] } },
    { level: 'L9' as 'L0' },
  ]
  for (const o of wrong) assert.throws(() => [...generate(o)], RangeError)
})

test('a flow split over agents is one task under one trace, each step by another agent; its twin’s recipient was asked for', () => {
  const options: GenerateOptions = { ...usual, attacks: [{ kind: 'split_flow', count: 4 }] }
  const cases = Map.groupBy(generateCases(options), ({ label }) => label!.case)
  assert.equal(cases.size, 8)
  for (const [name, placed] of cases) {
    const keys = placed.filter(({ label }) => label!.key).map(({ event }) => event)
    assert.equal(new Set(placed.map(({ event }) => event.trace)).size, 1)
    assert.deepEqual([new Set(keys.map(({ identity }) => identity.id)).size, new Set(keys.map(({ session }) => session)).size], [3, 3])
    assert.equal(keys.at(-1)!.destinationProvenance, name.endsWith('twin') ? 'user' : 'tool')
  }
})

test('handing tasks on is only there when asked for, and changes nothing else of the stream', () => {
  const lines = (handoffs: boolean): readonly string[] => [...generate({ ...small, handoffs })].map(({ event }) => eventJson(event))
  const [without, withThem] = [lines(false), lines(true)]
  const handed = withThem.filter((line) => line.includes('"trace":'))
  assert.ok(handed.length > 50)
  assert.deepEqual(
    withThem.filter((line) => !line.includes('"trace":')),
    without,
  )
  assert.deepEqual(
    handed.map((line) => JSON.stringify(JSON.parse(line))),
    handed,
  )
})
