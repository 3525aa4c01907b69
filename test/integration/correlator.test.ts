import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type EmbeddedLog, openEmbeddedLog } from '@plumbline/adapters/lmdb'
import { type CorrelatorPoint, createCorrelator } from '../../services/correlator/src/index.ts'
import { canonicalEvent, Detector, eventKey, hashKeyOf, shardOf } from '@plumbline/detector'
import { scoredRows } from '@plumbline/detector/replay'
import { type Alert, DEFAULT_DETECTION_CONFIG, Event, type EventInput, type Incident, Policy } from '@plumbline/schemas'
import { createWorker } from '../../services/worker/src/index.ts'

const DAY = 86_400_000
const HOUR = 3_600_000
const MINUTE = 60_000
const START = Date.UTC(2026, 9, 5)
const AGENTS = Array.from({ length: 12 }, (_, i) => `agent-${i}`)

/** Five days of ordinary work, then a bad tool across the fleet, a credential in other hands, and a flow over three agents. */
const story = (): EventInput[] => {
  const events: EventInput[] = []
  const act = (time: number, id: string, more: Partial<EventInput>): void =>
    void events.push({
      id: `e${events.length}`,
      time,
      tenant: 'acme',
      identity: { id, kind: 'agent' },
      action: 'crm.read',
      resource: { class: 'crm' },
      source: { ip: `10.0.0.${AGENTS.indexOf(id) + 1}` },
      ...more,
    })
  for (let hour = 0; hour < 5 * 24; hour++) AGENTS.forEach((id, i) => act(START + hour * HOUR + i * 7_000, id, {}))
  const bad = START + 5 * DAY
  AGENTS.slice(0, 8).forEach((id, i) =>
    act(bad + i * 3 * MINUTE, id, { action: 'pdf.convert', resource: { class: 'forbidden' }, destination: 'drop.example' }),
  )
  act(bad + HOUR, 'agent-3', { source: { ip: '10.0.0.9' } })
  const rootSession = 'task-1'
  act(bad + 2 * HOUR, 'agent-9', { rootSession, action: 'web.fetch', resource: { class: 'web', id: 'page/7' } })
  act(bad + 2 * HOUR + MINUTE, 'agent-10', { rootSession, action: 'hr.read', resource: { class: 'hr', sensitivity: 3 } })
  const sent = { destination: 'other.example', destinationProvenance: 'tool' } as const
  act(bad + 2 * HOUR + 2 * MINUTE, 'agent-11', { rootSession, action: 'mail.send', resource: { class: 'messaging' }, ...sent })
  AGENTS.forEach((id, i) => act(bad + 12 * HOUR + i, id, {}))
  return events.sort((a, b) => Number(a.time) - Number(b.time))
}
const STORY = story()
const CUT = STORY.findIndex(({ action }) => action === 'web.fetch')

const POLICY = Policy.parse({ rules: [{ id: 'r1', identities: '*', effect: 'deny', classes: ['forbidden'] }] })
const control = { v: 1, type: 'policy', controlId: 'p1', tenant: 'acme', policy: POLICY, policyHash: '' }

const openLog = async (t: TestContext, shards: number): Promise<EmbeddedLog> => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-correlator-'))
  const log = await openEmbeddedLog({ dir, shards })
  t.after(async () => {
    await log.close()
    rmSync(dir, { recursive: true, force: true })
  })
  const value = Buffer.from(JSON.stringify(control))
  await log.append(Array.from({ length: shards }, (_, shard) => ({ shard, ingestTimeMs: START, key: Buffer.from('c:p1'), value })))
  return log
}

const send = async (log: EmbeddedLog, events: readonly EventInput[]): Promise<void> => {
  const records = events.map((event) => {
    const { id } = event.identity
    const shard = shardOf('acme', id, log.shards)
    return { shard, ingestTimeMs: Number(event.time), key: eventKey('acme', id), value: canonicalEvent(Event.parse(event)) }
  })
  await log.append(records)
}

/** Workers that share the shards out, each with a detector of its own. */
const score = async (log: EmbeddedLog, workers: number): Promise<void> => {
  const config = { ...DEFAULT_DETECTION_CONFIG, shards: log.shards }
  const all = Array.from({ length: log.shards }, (_, shard) => shard)
  const started = Array.from({ length: workers }, (_, n) => {
    const options = {
      config,
      masterKey: hashKeyOf(log),
      slots: log,
      releases: { artifact: () => undefined },
      residentSlots: 64,
      topic: 'events',
    }
    const shards = all.filter((shard) => shard % workers === n)
    return createWorker({ log, processor: new Detector(options), shards, onRecords: (listener) => log.onRecords(listener) })
  })
  for (const worker of started) worker.start()
  for (const worker of started) await worker.drained()
  for (const worker of started) await worker.stop()
}

const incidentsIn = async (log: EmbeddedLog): Promise<Incident[]> =>
  (await log.outbox.read('incidents', 0, 1e9)).map(({ payload }) => JSON.parse(Buffer.from(payload).toString()) as Incident)

/** The same words for any number of shards: positions by the event that is there, alerts by the event that raised them. */
const named = async (log: EmbeddedLog): Promise<string[]> => {
  const events = new Map<string, string>()
  for (const { payload, shard } of await log.outbox.read('scored', 0, 1e9))
    for (const row of scoredRows(payload)) events.set(`${shard}:${row.offset}`, row.event_id)
  const alerts = new Map<string, string>()
  for (const { payload } of await log.outbox.read('alerts', 0, 1e9)) {
    const { id, replay } = JSON.parse(Buffer.from(payload).toString()) as Alert
    if (!alerts.has(id)) alerts.set(id, events.get(`${replay.position.shard}:${replay.position.offset}`)!)
  }
  const at = ({ shard, offset }: { readonly shard: number; readonly offset: number }): string => events.get(`${shard}:${offset}`)!
  return (await incidentsIn(log))
    .map((incident) =>
      JSON.stringify({
        ...incident,
        alerts: incident.alerts.map((id) => alerts.get(id)!).sort(),
        evidence: incident.evidence.map(at),
        steps: incident.steps?.map((step) => ({ ...step, position: at(step.position) })),
      }),
    )
    .sort()
}

const live = async (t: TestContext, shards: number, workers: number): Promise<string[]> => {
  const log = await openLog(t, shards)
  const correlator = createCorrelator({ log, clock: () => 0 })
  for (const part of [STORY.slice(0, CUT), STORY.slice(CUT)]) {
    await send(log, part)
    await score(log, workers)
    while ((await correlator.step()).length > 0);
  }
  return named(log)
}

test('C13 a bad tool, a shared source and a split flow are the same incidents on one shard and on six with two workers', async (t) => {
  const one = await live(t, 1, 1)
  const kinds = one.map((text) => (JSON.parse(text) as Incident).kind)
  assert.deepEqual(new Set(kinds), new Set(['common_cause', 'shared_source', 'split_flow']))
  const fleet = one.map((text) => JSON.parse(text) as Incident).filter(({ kind }) => kind === 'common_cause')
  assert.deepEqual(new Set(fleet.map(({ id }) => id)).size, 1, 'one incident for the fleet')
  const last = fleet.sort((a, b) => b.revision - a.revision)[0]!
  assert.deepEqual([last.cause.value, last.identityCount, last.alertCount], ['drop.example', 8, 8])
  assert.ok(last.also.some(({ kind, value }) => kind === 'tool' && value === 'pdf.convert'))
  assert.deepEqual(await live(t, 6, 1), one)
  assert.deepEqual(await live(t, 6, 2), one)
})

const POINTS: readonly CorrelatorPoint[] = ['correlator:read', 'correlator:storing', 'correlator:stored', 'correlator:advanced']

test('C13 a correlator that dies at any point goes on without losing or doubling a revision', async (t) => {
  const expected = await live(t, 6, 1)
  const log = await openLog(t, 6)
  let deaths = 0
  for (let at = 0; at < STORY.length; at += 90) {
    await send(log, STORY.slice(at, at + 90))
    await score(log, 1)
    for (const [i, point] of POINTS.entries()) {
      const dying = createCorrelator({
        log,
        clock: () => 0,
        saveMs: (at + i) % 3 === 0 ? 0 : 30_000,
        onPoint: (reached) => {
          if (reached === point) throw new Error(`dies at ${point}`)
        },
      })
      await dying.step().catch(() => void deaths++)
    }
  }
  const survivor = createCorrelator({ log, clock: () => 0 })
  while ((await survivor.step()).length > 0);
  assert.ok(deaths > POINTS.length)
  const incidents = await incidentsIn(log)
  const keys = incidents.map(({ id, revision }) => `${id}/${revision}`)
  assert.equal(new Set(keys).size, keys.length)
  assert.deepEqual(await named(log), expected)
})
