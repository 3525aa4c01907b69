import type { AlertDetail, AlertView, EventPage, EventView, Technique } from '@plumbline/schemas'
import { useEffect, useState } from 'preact/hooks'
import { get, words } from '../api.ts'
import { clock, kindWords, peers, quantity, subject, typical } from '../format.ts'
import { Count, Marks, Name, Problem, SeverityTag, Time, Waiting, useRead } from '../parts/bits.tsx'
import { EventTable } from '../parts/event-table.tsx'
import { IdentityTimeline } from '../parts/timeline.tsx'
import { Verdicts } from '../parts/verdicts.tsx'
import { identityLink } from '../route.ts'
import { alerts, upsert } from '../state.ts'

/** The most that the API gives of a session. */
const MOST_SHOWN = 500

function Observed({ alert }: { alert: AlertView }) {
  const anyPeers = alert.facts.reasons.some((reason) => reason.peers !== undefined)
  return (
    <div class="scroll-x">
      <table class="observed">
        <caption>Observed against typical</caption>
        <thead>
          <tr>
            <th scope="col">What</th>
            <th scope="col">Observed</th>
            <th scope="col">Usually</th>
            {anyPeers && <th scope="col">Who else does it</th>}
          </tr>
        </thead>
        <tbody>
          {alert.facts.reasons.map((reason, i) => (
            <tr key={i}>
              <th scope="row">
                <bdi>{subject(reason)}</bdi>
              </th>
              <td class="strong">{quantity(reason.observed)}</td>
              <td>{typical(reason)}</td>
              {anyPeers && <td>{peers(reason)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** Only well-formed ids become links: an id is data. */
function techniqueLink(technique: Technique): string | undefined {
  if (/^AML\.T\d{4}(\.\d{3})?$/.test(technique.uid)) return `https://atlas.mitre.org/techniques/${technique.uid}`
  if (/^ASI\d{2}$/.test(technique.uid)) return 'https://genai.owasp.org/resource/owasp-top-10-for-agentic-applications-for-2026/'
  const attack = /^T(\d{4})(?:\.(\d{3}))?$/.exec(technique.uid)
  return attack === null ? undefined : `https://attack.mitre.org/techniques/T${attack[1]}/${attack[2] === undefined ? '' : `${attack[2]}/`}`
}

const Techniques = ({ list }: { list: readonly Technique[] }) => (
  <ul class="chips" aria-label="Techniques">
    {list.map((technique) => {
      const link = techniqueLink(technique)
      const text = `${technique.framework} ${technique.uid} · ${technique.name}`
      return (
        <li key={technique.uid} class="chip">
          {link === undefined ? (
            text
          ) : (
            <a href={link} target="_blank" rel="noreferrer noopener">
              {text}
            </a>
          )}
        </li>
      )
    })}
  </ul>
)

function Text({ alert }: { alert: AlertView }) {
  const { text } = alert
  return (
    <dl class="text">
      <dt>What is normal</dt>
      <dd>
        <bdi>{text.normal}</bdi>
      </dd>
      <dt>Why it matters</dt>
      <dd>
        <bdi>{text.why}</bdi>
      </dd>
      <dt>How sure</dt>
      <dd>
        <bdi>{text.certainty}</bdi>
      </dd>
      <dt class="first">Do first</dt>
      <dd class="first">
        <bdi>{text.firstStep}</bdi>
      </dd>
    </dl>
  )
}

/** Every event of the alert's session, reported or not, on demand: an alert names only some of its own. */
function SessionEvents({ alert, session }: { alert: AlertView; session: string }) {
  const { tenant, identity } = alert.facts
  const path = `/v1/events?${new URLSearchParams({ tenant, identity: identity.id, session, limit: String(MOST_SHOWN) }).toString()}`
  const read = useRead(path, () => get<EventPage>(path))
  if (read.value === null) return read.error === null ? <Waiting lines={3} /> : <Problem text={words(read.error)} retry={read.again} />
  const { events } = read.value
  return (
    <>
      <p class="note">
        {events.length === MOST_SHOWN ? `The newest ${MOST_SHOWN} events` : `All ${events.length} events`} of its session, newest first.
      </p>
      <EventTable events={events} />
    </>
  )
}

/** Said where an alert has more events than it names. */
function Others({ alert }: { alert: AlertView }) {
  const [open, show] = useState(false)
  const { tenant, identity, session } = alert.facts
  if (open && session !== undefined) return <SessionEvents alert={alert} session={session} />
  return (
    <p class="note">
      {alert.evidence.length} of {alert.count.toLocaleString('en-US')} events are listed: the first ones and the newest.{' '}
      {session === undefined ? (
        <a href={identityLink(tenant, identity.id)}>The others are among the newest events of the identity.</a>
      ) : (
        <button type="button" class="small" onClick={() => show(true)}>
          Show its whole session
        </button>
      )}
    </p>
  )
}

function Evidence({ events, pending, alert }: { events: readonly EventView[] | null; pending: boolean; alert: AlertView }) {
  return (
    <section class="block">
      <h3>The events behind it</h3>
      {events === null ? <Waiting lines={3} /> : <EventTable events={events} />}
      {pending && events !== null && events.length > 0 && <p class="note">Some are still on their way into the store.</p>}
      {alert.count > alert.evidence.length && <Others alert={alert} />}
    </section>
  )
}

const Coordinates = ({ alert }: { alert: AlertView }) => (
  <details class="block">
    <summary>For a replay</summary>
    <dl class="pairs">
      <dt>Alert</dt>
      <dd>{alert.id}</dd>
      <dt>Revision</dt>
      <dd>
        {alert.revision}
        {alert.activity === 'close' && ', closed'}
      </dd>
      <dt>Score</dt>
      <dd>{alert.score.toFixed(1)} of 100</dd>
      <dt>Position</dt>
      <dd>
        {alert.replay.position.topic} / {alert.replay.position.shard} / {alert.replay.position.offset}
      </dd>
      <dt>Release</dt>
      <dd>{alert.replay.releaseId}</dd>
      <dt>Detector</dt>
      <dd>{alert.replay.detectorVersion}</dd>
    </dl>
    <p class="note">
      <code>plumbline explain {alert.id}</code> recomputes this score.
    </p>
  </details>
)

export function AlertDetailView({ id }: { id: string }) {
  const live = alerts.value.get(id)
  const read = useRead(`alert ${id} ${live?.revision ?? 0}`, () => get<AlertDetail>(`/v1/alerts/${encodeURIComponent(id)}`))
  const alert = live ?? read.value?.alert
  useEffect(() => {
    if (read.value !== null) upsert([read.value.alert])
  }, [read.value])
  const pending = read.value?.eventsPending === true
  useEffect(() => {
    if (!pending) return
    const timer = setTimeout(read.again, 2000)
    return () => clearTimeout(timer)
  }, [pending, read.value])
  if (alert === undefined) {
    if (read.error !== null) return <Problem text={words(read.error)} retry={read.again} />
    return <Waiting lines={8} />
  }
  const { facts } = alert
  return (
    <article class="detail">
      <a class="back" href="#/">
        ← Alerts
      </a>
      <div class="detail-head">
        <SeverityTag severity={alert.severity} />
        <Count alert={alert} />
        <Marks alert={alert} />
      </div>
      <h2>
        <bdi>{alert.text.headline}</bdi>
      </h2>
      <p class="meta">
        <a href={identityLink(facts.tenant, facts.identity.id)}>
          <Name>{facts.identity.id}</Name>
        </a>
        <span>{kindWords(facts.identity.kind)}</span>
        {facts.identity.owner !== undefined && (
          <span>
            owner <Name>{facts.identity.owner}</Name>
          </span>
        )}
        <span>tenant {facts.tenant}</span>
        <span>
          <Time ms={alert.firstSeen} />
          {alert.lastSeen - alert.firstSeen >= 1000 && <> – {clock(alert.lastSeen)}</>}
        </span>
      </p>
      <Text alert={alert} />
      <Observed alert={alert} />
      {alert.counterfactual !== undefined && (
        <p class="note">
          <strong>What would have kept it quiet:</strong> <bdi>{alert.counterfactual}</bdi>
        </p>
      )}
      {alert.techniques.length > 0 && <Techniques list={alert.techniques} />}
      <Verdicts alert={alert} />
      <IdentityTimeline tenant={facts.tenant} identity={facts.identity.id} mark={alert.firstSeen} />
      {read.error !== null ? (
        <Problem text={words(read.error)} retry={read.again} />
      ) : (
        <Evidence events={read.value?.events ?? null} pending={pending} alert={alert} />
      )}
      {facts.identity.runbook !== undefined && (
        <p class="note">
          Runbook: <bdi>{facts.identity.runbook}</bdi>
        </p>
      )}
      <Coordinates alert={alert} />
    </article>
  )
}
