import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { type ChunkCommit, canonicalEvent, Detector, eventKey, type LogRecord, shardOf, sha256Hex } from '@plumbline/detector'
import { scoredRows } from '@plumbline/detector/replay'
import { type GenerateOptions, generate } from '@plumbline/generator'
import {
  type ControlRecord,
  DEFAULT_DETECTION_CONFIG,
  type DetectionConfig,
  Event,
  FEATURE_COUNT,
  Policy,
  SCORED_FLAGS,
} from '@plumbline/schemas'
import { alertedAs, type BuiltRelease, buildRelease } from '@plumbline/training'
import { MASTER_KEY, MemorySlots } from '../../packages/detector/src/rig.testkit.ts'

/** A log of a few shards of a generated company, with everything in it that changes a detector, and runs over it. */

export const SHARDS = 4
/** The floor is raised so that a short stream has alerts to compare. */
export const CONFIG: DetectionConfig = { ...DEFAULT_DETECTION_CONFIG, shards: SHARDS, tailFloor: 0.01, adoptAfterDays: 0.01 }
export const COMPANY: GenerateOptions = {
  seed: 3,
  days: 6,
  identities: 160,
  eventsPerIdentityDay: 6,
  attacks: [
    { kind: 'hr_access', subtlety: 1, spread: 'piece' },
    { kind: 'burst', subtlety: 1 },
    { kind: 'exfil_overnight', subtlety: 1, spread: 'piece' },
  ],
}

export interface Log {
  readonly shards: readonly (readonly LogRecord[])[]
  readonly artifacts: ReadonlyMap<string, Uint8Array>
}

export interface Outcome {
  /** Per shard: rows one after the other, alerts with their capsules, final slots, dead letters. */
  readonly digest: string
  readonly rows: number
  readonly alerts: number
  readonly deadLetters: number
  readonly controlsApplied: number
  readonly evictions: number
  /** Of each invariant that a detector checks itself: how often it was found broken. */
  readonly broken: readonly number[]
  readonly commits: readonly ChunkCommit[]
}

export interface RunOptions {
  /** Records of the next chunk; called anew for each. */
  readonly chunk: () => number
  /** Whether to open the shard anew after the chunk just committed. */
  readonly restart?: () => boolean
  /** Whether to throw the next result away uncommitted, and compute it again after opening. */
  readonly lose?: () => boolean
  readonly residentSlots?: number
  /** One detector for all shards (default) or one for each. */
  readonly apart?: boolean
}

/** Drives the log as a worker does: process, store, settle; shards by turns. */
export const run = (log: Log, options: RunOptions): Outcome => {
  const store = new MemorySlots()
  const make = (): Detector =>
    new Detector({
      config: CONFIG,
      masterKey: MASTER_KEY,
      slots: store,
      releases: { artifact: (_id, sha256) => log.artifacts.get(sha256) },
      residentSlots: options.residentSlots ?? 4096,
      topic: 'events',
    })
  const shared = make()
  const detectors = log.shards.map(() => (options.apart === true ? make() : shared))
  const metas = log.shards.map(() => new Map<string, Uint8Array>())
  const at = log.shards.map(() => 0)
  const rows = log.shards.map(() => createHash('sha256'))
  const alerts: string[][] = log.shards.map(() => [])
  const capsules: string[][] = log.shards.map(() => [])
  const letters: string[][] = log.shards.map(() => [])
  const commits: ChunkCommit[] = []
  const open = (shard: number): void => detectors[shard]!.open(shard, { nextOffset: at[shard]!, meta: metas[shard]! })
  log.shards.forEach((_, shard) => open(shard))
  for (let busy = true; busy; ) {
    busy = false
    for (let shard = 0; shard < log.shards.length; shard++) {
      const records = log.shards[shard]!.slice(at[shard], at[shard]! + options.chunk())
      if (records.length === 0) continue
      busy = true
      if (options.lose?.() === true) {
        detectors[shard]!.process(shard, records)
        detectors[shard]!.forget(shard)
        open(shard)
      }
      const commit = detectors[shard]!.process(shard, records)
      commits.push(commit)
      store.keep(commit)
      for (const { name, bytes } of commit.meta) metas[shard]!.set(name, bytes.slice())
      if (commit.scored !== null) rows[shard]!.update(commit.scored.bytes)
      for (const alert of commit.alerts) alerts[shard]!.push(JSON.stringify(alert))
      for (const capsule of commit.capsules) capsules[shard]!.push(JSON.stringify(capsule))
      letters[shard]!.push(...commit.deadLetters.map((d) => JSON.stringify(d)))
      detectors[shard]!.settle(shard)
      at[shard] = commit.nextOffset
      if (options.restart?.() === true) open(shard)
    }
  }
  const all = createHash('sha256')
  log.shards.forEach((_, shard) => {
    all.update(rows[shard]!.digest()).update(JSON.stringify([alerts[shard], capsules[shard], letters[shard]]))
  })
  for (const [key, bytes] of [...store.kept].sort(([a], [b]) => (a < b ? -1 : 1))) all.update(key).update(bytes)
  for (const meta of metas) for (const [name, bytes] of [...meta].sort(([a], [b]) => (a < b ? -1 : 1))) all.update(name).update(bytes)
  const sum = (f: (d: Detector) => number): number => [...new Set(detectors)].reduce((n, d) => n + f(d), 0)
  return {
    digest: all.digest('hex'),
    rows: commits.reduce((n, c) => n + (c.scored?.rows ?? 0), 0),
    alerts: commits.reduce((n, c) => n + c.alerts.length, 0),
    deadLetters: commits.reduce((n, c) => n + c.deadLetters.length, 0),
    controlsApplied:
      sum((d) => d.counters.controls) - commits.flatMap((c) => c.deadLetters).filter((d) => d.code === 'CONTROL_INVALID').length,
    evictions: sum((d) => d.slots.evictions),
    broken: (['INV-5', 'INV-6'] as const).map((id) => sum((d) => d.counters.broken[id])),
    commits,
  }
}

const encoder = new TextEncoder()
/** A control without its version, as a test writes it. */
type ControlInput = ControlRecord extends infer C ? (C extends ControlRecord ? Omit<C, 'v'> : never) : never

class Writer {
  readonly shards: LogRecord[][] = Array.from({ length: SHARDS }, () => [])
  nowMs = 0
  append(shard: number, key: Uint8Array, value: Uint8Array): void {
    const records = this.shards[shard]!
    records.push({ offset: records.length, ingestTimeMs: this.nowMs, key, value })
  }
  event(tenant: string, identity: string, value: Uint8Array, historic = false): void {
    const key = eventKey(tenant, identity)
    if (historic) key[0] = 'h'.charCodeAt(0)
    this.append(shardOf(tenant, identity, SHARDS), key, value)
  }
  control(record: ControlInput, shard?: number): void {
    for (let s = 0; s < SHARDS; s++) {
      if (shard !== undefined && s !== shard) continue
      this.append(s, encoder.encode(`c:${record.controlId}`), encoder.encode(JSON.stringify({ v: 1, ...record })))
    }
  }
}

/** Releases built from what a log so far gives: statistics first, then with a net. */
const train = async (log: Log, sequence: number, withModel: boolean): Promise<BuiltRelease> => {
  const { commits } = run(log, { chunk: () => 500 })
  const rows = commits
    .flatMap((c) => (c.scored === null ? [] : [...scoredRows(c.scored.bytes)]))
    .filter((r) => (r.flags & SCORED_FLAGS.late) === 0)
  const flat = new Float32Array(rows.length * FEATURE_COUNT)
  rows.forEach((row, i) => {
    flat.set(row.features, i * FEATURE_COUNT)
  })
  const slots = new Map<string, Uint8Array>()
  for (const c of commits) for (const s of c.slots) slots.set(`${c.shard}:${Buffer.from(s.key).toString('hex')}`, s.bytes)
  const numbers = new Map<string, number>()
  const times = rows.map((r) => r.event_time)
  return buildRelease({
    tenant: 'default',
    sequence,
    rows: flat,
    alerted: Uint8Array.from(rows, (r) => alertedAs(r.flags)),
    groups: Uint32Array.from(rows, (r) => {
      const key = `${r.identity}|${r.session}`
      if (!numbers.has(key)) numbers.set(key, numbers.size)
      return numbers.get(key)!
    }),
    eventsPerDay: 800,
    slots: slots.values(),
    groupNames: new Map(),
    config: CONFIG,
    seed: 0,
    createdFrom: { positions: {}, events: rows.length, fromTime: Math.min(...times), toTime: Math.max(...times) },
    withModel,
  })
}

let cached: Promise<Log> | undefined
/** The log, made once per process: two trained releases, a policy, verdicts, an erasure, announced changes, late, repeated, bad and historic records. */
export const companyLog = (): Promise<Log> => (cached ??= makeLog(COMPANY))

export const makeLog = async (company: GenerateOptions): Promise<Log> => {
  const w = new Writer()
  const artifacts = new Map<string, Uint8Array>()
  const log: Log = { shards: w.shards, artifacts }
  const release = async (sequence: number, withModel: boolean): Promise<void> => {
    const built = await train(log, sequence, withModel)
    artifacts.set(sha256Hex(built.bytes), built.bytes)
    w.control({ type: 'release', controlId: `release:${built.id}`, tenant: 'default', releaseId: built.id, sha256: built.sha256 })
  }
  const events = [...generate(company)].map(({ event }) => Event.parse(event))
  const recent: (typeof events)[number][] = []
  for (const [i, event] of events.entries()) {
    w.nowMs = Math.max(w.nowMs, event.time)
    if (i === Math.floor(events.length * 0.25)) await release(1, false)
    if (i === Math.floor(events.length * 0.55)) await release(2, true)
    if (i === Math.floor(events.length * 0.6))
      w.control({ type: 'policy', controlId: 'policy:1', tenant: 'default', policy: POLICY, policyHash: 'x' })
    const bytes = canonicalEvent(event)
    w.event(event.tenant, event.identity.id, bytes)
    recent.push(event)
    spice(w, event, bytes, i, recent)
  }
  return log
}

const POLICY = Policy.parse({
  identities: [
    { match: '*a*', criticality: 3, owner: 'team-a' },
    { match: '*-0*', segment: 'edge' },
  ],
  resources: [
    { match: { class: 'crm' }, sensitivity: 2, class: 'customers', segment: 'core' },
    { match: { resource: '*7*' }, sensitivity: 1 },
  ],
  rules: [{ id: 'no-watching', identities: '*-0*', effect: 'deny', classes: ['observ*'] }],
  segments: [{ from: '*', to: 'p*' }],
  calendars: [{ name: 'closing', identities: '*1', days: ['2026-10-05', '2026-10-06'] }],
  exceptions: [{ id: 'x1', identities: '*2', reason: 'known', author: 'a', expires: '2027-01-01T00:00:00Z' }],
})

/** A change of some or of all, of what they tell or not, soon or now; every third is withdrawn before the next one. */
const announce = (w: Writer, tenant: string, i: number): void => {
  const scope = ([{ all: true }, { identities: ['*a*', '*-0*'] }, { peerGroups: ['s*'] }] as const)[i % 3]!
  const window = { from: w.nowMs + (i % 2) * 3_600_000, until: w.nowMs + (4 + (i % 20)) * 3_600_000 }
  const what = i % 5 === 0 ? { model: 'never-*' } : { tools: '*', release: '*' }
  const change = { id: `change-${i}`, what, scope: JSON.parse(JSON.stringify(scope)), ...window, reason: 'deploy', by: 'ci' }
  w.control({ type: 'change', controlId: `change:${i}`, tenant, change })
  if (i % 3 === 0) w.control({ type: 'change_withdrawn', controlId: `withdrawn:${i}`, tenant, changeId: `change-${i - 251}` })
}

/** Every now and then something that streams bring with them. */
const spice = (
  w: Writer,
  event: ReturnType<typeof Event.parse>,
  bytes: Uint8Array,
  i: number,
  recent: readonly ReturnType<typeof Event.parse>[],
): void => {
  const { tenant } = event
  const identity = event.identity.id
  const shard = shardOf(tenant, identity, SHARDS)
  if (i % 41 === 0) w.event(tenant, identity, bytes)
  if (i % 97 === 0) w.event(tenant, identity, encoder.encode('{"id": "cut'))
  if (i % 101 === 0) w.event(tenant, identity, canonicalEvent({ ...event, id: `future-${i}`, time: w.nowMs + 900_000 }))
  if (i % 103 === 0) w.event(tenant, identity, canonicalEvent({ ...event, id: `ahead-${i}`, time: w.nowMs + 200_000 }))
  if (i % 67 === 0 && recent.length > 400) {
    const old = recent[recent.length - 400]!
    w.event(tenant, old.identity.id, canonicalEvent({ ...old, id: `again-${i}` }))
  }
  if (i % 89 === 0) w.event(tenant, identity, canonicalEvent({ ...event, id: `late-${i}`, time: event.time - 9 * 86_400_000 }))
  if (i % 107 === 0) w.event(tenant, identity, canonicalEvent({ ...event, id: `historic-${i}`, time: event.time - 20 * 86_400_000 }), true)
  if (i % 113 === 0) w.event('other', identity, canonicalEvent({ ...event, tenant: 'other', id: `other-${i}` }))
  if (i % 127 === 0) w.append(shard, encoder.encode('x:what'), bytes)
  if (i % 211 === 0) {
    const verdict = (['safe', 'confirmed', 'dismissed'] as const)[i % 3]!
    const control = {
      type: 'verdict' as const,
      tenant,
      alertId: 'a',
      identity,
      verdict,
      groupKey: 'sensitive_access:0',
      events: [Buffer.from(bytes).toString('base64')],
      author: 'me',
    } satisfies Partial<ControlInput>
    w.control({ controlId: `verdict:${i}`, ...control }, shard)
    w.control({ controlId: `verdict:${i}`, ...control }, shard)
  }
  if (i % 251 === 0) announce(w, tenant, i)
  if (i % 307 === 0) w.append(shard, encoder.encode('c:bad'), encoder.encode('{"v":1,"type":"verdict"}'))
  if (i % 401 === 0) w.control({ type: 'erase', controlId: `erase:${i}`, tenant, identity }, shard)
  // The record stands in another identity's shard: whoever wrote it went past the gateway.
  if (i % 131 === 0) w.append((shard + 1) % SHARDS, eventKey(tenant, identity), canonicalEvent({ ...event, id: `astray-${i}` }))
}
