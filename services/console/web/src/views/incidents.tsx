import type { Incident, IncidentPage } from '@plumbline/schemas'
import { get, words } from '../api.ts'
import { Empty, Name, Problem, SeverityTag, Time, Waiting, useRead } from '../parts/bits.tsx'
import { alertLink, identityLink } from '../route.ts'
import { filter } from '../state.ts'

/** Named one by one; the rest is counted. */
const MOST_NAMED = 12

const More = ({ all, shown }: { all: number; shown: number }) => (all > shown ? <li class="note">and {all - shown} more</li> : null)

function One({ incident }: { incident: Incident }) {
  const { tenant, identities, identityCount, alerts, alertCount, text } = incident
  const named = identities.slice(0, MOST_NAMED)
  const told = alerts.slice(0, MOST_NAMED)
  return (
    <li>
      <p>
        <SeverityTag severity={incident.severity} /> <Time ms={incident.lastSeen} /> tenant <bdi>{tenant}</bdi>
      </p>
      <p>
        <bdi>{text.headline}</bdi>
      </p>
      <p class="note">
        <bdi>{text.why}</bdi>
      </p>
      <p>
        First: <bdi>{text.firstStep}</bdi>
      </p>
      <ul class="chips" aria-label="Identities">
        {named.map(({ id }) => (
          <li key={id} class="chip">
            <a href={identityLink(tenant, id)}>
              <Name>{id}</Name>
            </a>
          </li>
        ))}
        <More all={identityCount} shown={named.length} />
      </ul>
      {told.length > 0 && (
        <ul class="chips" aria-label="Alerts">
          {told.map((id, i) => (
            <li key={id} class="chip">
              <a href={alertLink(id)}>Alert {i + 1}</a>
            </li>
          ))}
          <More all={alertCount} shown={told.length} />
        </ul>
      )}
    </li>
  )
}

export function Incidents() {
  const query = new URLSearchParams({ limit: '50' })
  if (filter.value.tenant !== '') query.set('tenant', filter.value.tenant)
  const path = `/v1/incidents?${query.toString()}`
  const read = useRead(path, () => get<IncidentPage>(path))
  return (
    <article class="detail">
      <a class="back" href="#/">
        ← Alerts
      </a>
      <h2>Incidents</h2>
      <p class="note">What goes over several identities and no single one shows. The alerts they name stay as they are.</p>
      {read.error !== null && <Problem text={words(read.error)} retry={read.again} />}
      {read.value === null && read.error === null && <Waiting lines={6} />}
      {read.value !== null && read.value.incidents.length === 0 && (
        <Empty title="None">No flow, source or cause goes over several identities.</Empty>
      )}
      <ul class="plain letters">
        {(read.value?.incidents ?? []).map((incident) => (
          <One key={incident.id} incident={incident} />
        ))}
      </ul>
    </article>
  )
}
