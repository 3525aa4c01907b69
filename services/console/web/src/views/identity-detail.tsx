import type { AlertPage, EventPage, IdentityView } from '@plumbline/schemas'
import { get, words } from '../api.ts'
import { amount, clock, kindWords, maturityWords } from '../format.ts'
import { Empty, Name, Problem, SeverityTag, Time, Waiting, useRead } from '../parts/bits.tsx'
import { BlindSpotList } from '../parts/blind-spots.tsx'
import { ChangesOf } from '../parts/changes.tsx'
import { EventTable } from '../parts/event-table.tsx'
import { Timeline } from '../parts/timeline.tsx'
import { alertLink } from '../route.ts'

const DAY = 86_400_000

function Shares({ title, list, none }: { title: string; list: IdentityView['actions']; none: string }) {
  const total = list.reduce((sum, entry) => sum + entry.count, 0)
  return (
    <section class="shares">
      <h3>{title}</h3>
      {list.length === 0 ? (
        <p class="note">{none}</p>
      ) : (
        <ul>
          {list.map((entry) => (
            <li key={entry.name}>
              <Name>{entry.name}</Name>
              <meter min={0} max={1} value={total === 0 ? 0 : entry.count / total} aria-label="share" />
              <span class="number">{amount(entry.count)}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}

function Alerts({ tenant, id }: { tenant: string; id: string }) {
  const path = `/v1/alerts?${new URLSearchParams({ tenant, identity: id, limit: '20' }).toString()}`
  const read = useRead(path, () => get<AlertPage>(path))
  if (read.value === null) return read.error === null ? <Waiting lines={2} /> : <Problem text={words(read.error)} retry={read.again} />
  if (read.value.alerts.length === 0) return <p class="note">None.</p>
  return (
    <ul class="plain">
      {read.value.alerts.map((alert) => (
        <li key={alert.id}>
          <SeverityTag severity={alert.severity} /> <Time ms={alert.firstSeen} />{' '}
          <a href={alertLink(alert.id)}>
            <bdi>{alert.text.headline}</bdi>
          </a>
        </li>
      ))}
    </ul>
  )
}

function Newest({ tenant, id }: { tenant: string; id: string }) {
  const path = `/v1/events?${new URLSearchParams({ tenant, identity: id, limit: '100' }).toString()}`
  const read = useRead(path, () => get<EventPage>(path))
  if (read.value === null) return read.error === null ? <Waiting lines={3} /> : <Problem text={words(read.error)} retry={read.again} />
  return <EventTable events={read.value.events} />
}

export function IdentityDetail({ tenant, id }: { tenant: string; id: string }) {
  const path = `/v1/identities/${encodeURIComponent(id)}?tenant=${encodeURIComponent(tenant)}`
  const read = useRead(path, () => get<IdentityView>(path))
  const view = read.value
  if (view === null) {
    if (read.error === null) return <Waiting lines={8} />
    return (
      <>
        <Problem text={words(read.error)} retry={read.again} />
        <Empty title="Not stored yet">An identity shows here once its first events are in the store.</Empty>
      </>
    )
  }
  const days = Math.max(1, Math.round((view.lastSeen - view.firstSeen) / DAY))
  return (
    <article class="detail">
      <a class="back" href="#/">
        ← Alerts
      </a>
      <h2>
        <Name>{view.identity}</Name>
      </h2>
      <p class="meta">
        <span>{kindWords(view.kind)}</span>
        {view.owner !== null && (
          <span>
            owner <Name>{view.owner}</Name>
          </span>
        )}
        {view.peerGroup !== null && (
          <span>
            peers <Name>{view.peerGroup}</Name>
          </span>
        )}
        <span>tenant {view.tenant}</span>
      </p>
      <dl class="cards">
        <div>
          <dt>Events</dt>
          <dd>{amount(view.events)}</dd>
        </div>
        <div>
          <dt>Seen for</dt>
          <dd>
            {days} {days === 1 ? 'day' : 'days'}
          </dd>
        </div>
        <div>
          <dt>Last seen</dt>
          <dd>{clock(view.lastSeen)}</dd>
        </div>
        <div>
          <dt>Baseline</dt>
          <dd>{maturityWords(view.maturity)}</dd>
        </div>
        <div>
          <dt>Risk</dt>
          <dd>{Math.round(view.risk)} of 100</dd>
        </div>
      </dl>
      <section class="block">
        <h3>Its last days</h3>
        <Timeline hours={view.timeline} />
      </section>
      <div class="shares-row">
        <Shares title="Usually does" list={view.actions} none="Nothing yet." />
        <Shares title="Usually touches" list={view.classes} none="Nothing yet." />
        <Shares title="Usually sends to" list={view.destinations} none="Nowhere outside." />
      </div>
      <p class="note">The last 30 days, without events that were reported and not learned.</p>
      <section class="block">
        <h3>What would be noticed</h3>
        <BlindSpotList tenant={tenant} id={id} />
      </section>
      {/* People are not deployed: no announcement is about one. */}
      {view.kind !== 'user' && (
        <section class="block">
          <h3>Announced changes</h3>
          <ChangesOf tenant={tenant} id={id} peerGroup={view.peerGroup} />
        </section>
      )}
      <section class="block">
        <h3>Its alerts</h3>
        <Alerts tenant={tenant} id={id} />
      </section>
      <section class="block">
        <h3>Newest events</h3>
        <Newest tenant={tenant} id={id} />
      </section>
    </article>
  )
}
