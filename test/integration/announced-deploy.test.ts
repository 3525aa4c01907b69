import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalEvent, Detector, eventKey, type LogRecord, sha256Hex } from '@plumbline/detector'
import { scoredRows } from '@plumbline/detector/replay'
import { generate, labelledWindow, type Label } from '@plumbline/generator'
import { type Alert, type Change, DEFAULT_DETECTION_CONFIG, Event, FEATURE_COUNT, SCORED_FLAGS } from '@plumbline/schemas'
import { alertedAs, buildRelease } from '@plumbline/training'
import { DAY, HOUR, MASTER_KEY, MemorySlots } from '../../packages/detector/src/rig.testkit.ts'

/** A company with a trained model, up to the days that carry attacks; what comes then is lived from the same state in several ways. */
const COMPANY = { seed: 521, identities: 120, days: 11, eventsPerIdentityDay: 40 }
const CONFIG = { ...DEFAULT_DETECTION_CONFIG, shards: 1 }
const FLEET = 'support-bot'
const CHUNK = 2000

const window = labelledWindow(COMPANY)
const life = [...generate(COMPANY)].map(({ event, label }) => ({ event: Event.parse(event), label }))
const before = life.filter(({ event }) => event.time < window.from)
const after = life.filter(({ event }) => event.time >= window.from)
const encoder = new TextEncoder()
const artifacts = new Map<string, Uint8Array>()

class Life {
  readonly slots = new MemorySlots()
  readonly meta = new Map<string, Uint8Array>()
  readonly detector: Detector
  readonly alerts: Alert[] = []
  readonly rows: { readonly features: Float32Array; readonly flags: number; readonly identity: string; readonly session: string }[] = []
  #pending: LogRecord[] = []
  #next: number
  #nowMs = 0

  constructor(from?: Life) {
    for (const [key, bytes] of from?.slots.kept ?? []) this.slots.kept.set(key, bytes)
    for (const [name, bytes] of from?.meta ?? []) this.meta.set(name, bytes)
    this.#next = from === undefined ? 0 : from.#next
    this.#nowMs = from === undefined ? 0 : from.#nowMs
    this.detector = new Detector({
      config: CONFIG,
      masterKey: MASTER_KEY,
      slots: this.slots,
      releases: { artifact: (_id, sha256) => artifacts.get(sha256) },
      residentSlots: 1024,
      topic: 'events',
    })
    this.detector.open(0, { nextOffset: this.#next, meta: this.meta })
  }

  event(event: Event): number {
    this.#nowMs = Math.max(this.#nowMs, event.time)
    return this.#append(eventKey(event.tenant, event.identity.id), canonicalEvent(event))
  }

  control(record: { readonly controlId: string; readonly [name: string]: unknown }): void {
    this.#append(encoder.encode(`c:${record.controlId}`), encoder.encode(JSON.stringify({ v: 1, tenant: 'default', ...record })))
  }

  flush(): void {
    if (this.#pending.length === 0) return
    const commit = this.detector.process(0, this.#pending)
    assert.deepEqual(commit.deadLetters, [])
    this.slots.keep(commit)
    for (const { name, bytes } of commit.meta) this.meta.set(name, bytes.slice())
    this.detector.settle(0)
    this.alerts.push(...commit.alerts)
    if (commit.scored !== null) this.rows.push(...scoredRows(commit.scored.bytes))
    this.#pending = []
  }

  #append(key: Uint8Array, value: Uint8Array): number {
    this.#pending.push({ offset: this.#next, ingestTimeMs: this.#nowMs, key, value })
    const offset = this.#next++
    if (this.#pending.length >= CHUNK) this.flush()
    return offset
  }
}

const release = async (lived: Life, sequence: number, withModel: boolean): Promise<void> => {
  lived.flush()
  const rows = lived.rows.filter(({ flags }) => (flags & (SCORED_FLAGS.late | SCORED_FLAGS.duplicate)) === 0)
  const vectors = new Float32Array(rows.length * FEATURE_COUNT)
  rows.forEach((row, i) => vectors.set(row.features, i * FEATURE_COUNT))
  const sessions = new Map<string, number>()
  const built = await buildRelease({
    tenant: 'default',
    sequence,
    rows: vectors,
    alerted: Uint8Array.from(rows, ({ flags }) => alertedAs(flags)),
    groups: Uint32Array.from(rows, ({ identity, session }) => {
      const name = `${identity}|${session}`
      if (!sessions.has(name)) sessions.set(name, sessions.size)
      return sessions.get(name)!
    }),
    eventsPerDay: COMPANY.identities * COMPANY.eventsPerIdentityDay,
    slots: lived.slots.kept.values(),
    groupNames: lived.detector.tenantsOf(0).get('default')!.groupNames,
    config: CONFIG,
    seed: 0,
    createdFrom: { positions: {}, events: rows.length, fromTime: before[0]!.event.time, toTime: window.from },
    withModel,
  })
  artifacts.set(sha256Hex(built.bytes), built.bytes)
  lived.control({ type: 'release', controlId: `release:${built.id}`, releaseId: built.id, sha256: built.sha256 })
}

const grown = async (): Promise<Life> => {
  const lived = new Life()
  const half = Math.floor(before.length / 2)
  for (const { event } of before.slice(0, half)) lived.event(event)
  await release(lived, 1, false)
  for (const { event } of before.slice(half)) lived.event(event)
  await release(lived, 2, true)
  lived.flush()
  return lived
}

const deployAt = window.from + 9 * HOUR
const isOfFleet = ({ peerGroup, identity }: Event): boolean => peerGroup === FLEET && identity.kind === 'agent'

/** Every tool that only reads gets a new name and a planning step comes before every third; what is sent is sent as before. */
const deployed = (event: Event, i: number): Event => {
  const identity = { ...event.identity, version: { ...event.identity.version, release: 'next' } }
  if (event.destination !== undefined) return { ...event, identity }
  return i % 3 === 0
    ? { ...event, identity, action: 'plan.next', resource: { class: 'planning' } }
    : { ...event, identity, action: `${event.action}_v2` }
}

interface Outcome {
  /** Cases of attacks that an alert joined. */
  readonly raised: readonly string[]
  /** Alert groups of the fleet that no attack is part of, by family. */
  readonly ofFleet: readonly string[]
}

const live = (from: Life, { deploy, change }: { readonly deploy: boolean; readonly change?: Partial<Change> }): Outcome => {
  const lived = new Life(from)
  const labels = new Map<number, Label>()
  const fleet = new Set<number>()
  const announced = { id: 'deploy', from: window.from, until: window.from + 7 * DAY, reason: 'New tools', by: 'ci', ...change }
  if (change !== undefined) lived.control({ type: 'change', controlId: 'change:deploy', change: announced })
  for (const [i, { event, label }] of after.entries()) {
    const isDeployed = deploy && label === null && event.time >= deployAt && isOfFleet(event)
    const offset = lived.event(isDeployed ? deployed(event, i) : event)
    if (label !== null) labels.set(offset, label)
    else if (isOfFleet(event)) fleet.add(offset)
  }
  lived.flush()
  const raised = new Set<string>()
  const ofFleet = new Map<string, string>()
  for (const { id, family, evidence } of lived.alerts) {
    const hits = evidence.flatMap(({ offset }) => labels.get(offset) ?? [])
    for (const hit of hits) if (hit.key && !hit.twin) raised.add(`${hit.attack} ${hit.case}`)
    if (hits.length === 0 && evidence.some(({ offset }) => fleet.has(offset))) ofFleet.set(id, family)
  }
  return { raised: [...raised].sort(), ofFleet: [...ofFleet.values()].sort() }
}

const company = await grown()

test('a fleet that is deployed anew alerts when nobody said so, and hardly when somebody did', (t) => {
  const silent = live(company, { deploy: true })
  const told = live(company, { deploy: true, change: { what: { release: 'next' }, scope: { peerGroups: [FLEET] } } })
  t.diagnostic(
    `unannounced ${silent.ofFleet.length} (${silent.ofFleet.join(' ')}), announced ${told.ofFleet.length} (${told.ofFleet.join(' ')})`,
  )
  assert.ok(silent.ofFleet.length >= 10, `${silent.ofFleet.length}`)
  assert.ok(told.ofFleet.length <= silent.ofFleet.length / 10, `${told.ofFleet.length} of ${silent.ofFleet.length}`)
})

test('attacks are found as well while every agent is under an announced change as without one', (t) => {
  const plain = live(company, { deploy: false })
  const open = live(company, { deploy: false, change: { what: { release: '*' }, scope: { all: true } } })
  t.diagnostic(`raised ${plain.raised.length}, under announced changes ${open.raised.length}`)
  assert.ok(plain.raised.length >= 10, `${plain.raised.length}`)
  const lost = plain.raised.filter((name) => !open.raised.includes(name))
  // What is odd in pace and tools alone may end just below the threshold; what reaches for data, leaves or comes from elsewhere may not.
  assert.ok(lost.length <= 1, lost.join(', '))
  assert.deepEqual(
    lost.filter((name) => !/^(burst|off_hours|slow_ramp|hijack hijack-internal)/.test(name)),
    [],
  )
})
