import type { DeploymentLog } from '@plumbline/detector'
import { canonicalEvent, eventKey, shardOf } from '@plumbline/detector'
import { scoredRows } from '@plumbline/detector/replay'
import { type Alert, Event, type EventInput, type Incident, type OutboxEntry, Policy, type Topic } from '@plumbline/schemas'

/** A story of several identities, as it goes into a log, and the incidents that come of it in words that do not depend on its shards. */

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
export const STORY = story()
/** Where the flow begins. */
export const CUT = STORY.findIndex(({ action }) => action === 'web.fetch')

const POLICY = Policy.parse({ rules: [{ id: 'r1', identities: '*', effect: 'deny', classes: ['forbidden'] }] })
const control = { v: 1, type: 'policy', controlId: 'p1', tenant: 'acme', policy: POLICY, policyHash: '' }

export const sendPolicy = async (log: Pick<DeploymentLog, 'append' | 'shards'>): Promise<void> => {
  const value = Buffer.from(JSON.stringify(control))
  const records = Array.from({ length: log.shards }, (_, shard) => ({ shard, ingestTimeMs: START, key: Buffer.from('c:p1'), value }))
  await log.append(records)
}

export const send = async (log: Pick<DeploymentLog, 'append' | 'shards'>, events: readonly EventInput[]): Promise<void> => {
  const records = events.map((event) => {
    const { id } = event.identity
    const shard = shardOf('acme', id, log.shards)
    return { shard, ingestTimeMs: Number(event.time), key: eventKey('acme', id), value: canonicalEvent(Event.parse(event)) }
  })
  await log.append(records)
}

type Outputs = Pick<DeploymentLog, 'outbox'>

const readAll = async ({ outbox }: Outputs, topic: Topic): Promise<OutboxEntry[]> => {
  const found: OutboxEntry[] = []
  for (let lane = 0; lane < outbox.lanes(topic); lane++) {
    const end = await outbox.end(topic, lane)
    for (let at = 0; at < end; ) {
      const entries = await outbox.read(topic, at, 1e9, undefined, lane)
      found.push(...entries)
      at = entries.at(-1)?.sequence ?? outbox.passed(topic, at, lane)
      if (entries.length === 0 && at < end) await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  return found
}

export const incidentsIn = async (log: Outputs): Promise<Incident[]> =>
  (await readAll(log, 'incidents')).map(({ payload }) => JSON.parse(Buffer.from(payload).toString()) as Incident)

/** The same words for any number of shards: positions by the event that is there, alerts by the event that raised them. */
export const named = async (log: Outputs): Promise<string[]> => {
  const events = new Map<string, string>()
  for (const { payload, shard } of await readAll(log, 'scored'))
    for (const row of scoredRows(payload)) events.set(`${shard}:${row.offset}`, row.event_id)
  const alerts = new Map<string, string>()
  for (const { payload } of await readAll(log, 'alerts')) {
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
