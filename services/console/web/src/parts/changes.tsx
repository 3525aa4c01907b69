import type { ChangePage, ChangeView } from '@plumbline/schemas'
import { get, words } from '../api.ts'
import { Name, Problem, Time, Waiting, useRead } from './bits.tsx'

const STATE_WORDS: Readonly<Record<ChangeView['state'], string>> = {
  ahead: 'begins later',
  open: 'in effect now',
  over: 'over',
  withdrawn: 'withdrawn',
}

/** Newest of an identity; the page of all changes has the rest. */
const MOST_OF_ONE = 20

type Labelled = readonly [label: string, name: string]

/** "model gpt-5.2, tools *": names are patterns that somebody wrote, each isolated. */
const Listed = ({ all }: { all: readonly Labelled[] }) => (
  <>
    {all.map(([label, name], i) => (
      <span key={`${label} ${name}`}>
        {i > 0 && ', '}
        {label} <Name>{name}</Name>
      </span>
    ))}
  </>
)

const partsOf = ({ what }: ChangeView): Labelled[] => Object.entries(what).map(([part, name]) => [part, name ?? ''])

const scopeOf = ({ scope }: ChangeView): Labelled[] => [
  ...(scope.identities ?? []).map((pattern): Labelled => ['', pattern]),
  ...(scope.peerGroups ?? []).map((pattern): Labelled => ['peers', pattern]),
]

function One({ change, withTenant }: { change: ChangeView; withTenant: boolean }) {
  const { state, scope, from, until, reason, ticket, by, actor, announcedAt, tenant, id } = change
  return (
    <li data-change={id} class={`change-${state}`}>
      <p>
        <span class="mark">{STATE_WORDS[state]}</span> <Listed all={partsOf(change)} />
        {withTenant && (
          <>
            {' '}
            · tenant <bdi>{tenant}</bdi>
          </>
        )}
      </p>
      <p>
        <bdi>{reason}</bdi>
        {ticket !== undefined && (
          <>
            {' '}
            · <Name>{ticket}</Name>
          </>
        )}
      </p>
      <p>
        For {scope.all === true ? 'every agent and service' : <Listed all={scopeOf(change)} />} from <Time ms={from} /> until{' '}
        <Time ms={until} />
      </p>
      <p class="note">
        Announced <Time ms={announcedAt} /> by <Name>{by}</Name>, <Name>{actor}</Name>, as <Name>{id}</Name>
      </p>
    </li>
  )
}

export const ChangeList = ({ changes, withTenant }: { changes: readonly ChangeView[]; withTenant: boolean }) => (
  <ul class="plain changes">
    {changes.map((change) => (
      <One key={`${change.tenant} ${change.id}`} change={change} withTenant={withTenant} />
    ))}
  </ul>
)

/** What deploys announced of one agent or service. */
export function ChangesOf({ tenant, id, peerGroup }: { tenant: string; id: string; peerGroup: string | null }) {
  const query = { tenant, identity: id, limit: String(MOST_OF_ONE), ...(peerGroup !== null && { peerGroup }) }
  const path = `/v1/changes?${new URLSearchParams(query).toString()}`
  const read = useRead(path, () => get<ChangePage>(path))
  if (read.value === null) return read.error === null ? <Waiting lines={2} /> : <Problem text={words(read.error)} retry={read.again} />
  const { changes, cursor } = read.value
  if (changes.length === 0) return <p class="note">None. What its next deploy brings is judged as anything else.</p>
  return (
    <>
      <ChangeList changes={changes} withTenant={false} />
      {cursor !== null && (
        <p class="note">
          Older ones are under <a href="#/changes">Changes</a>.
        </p>
      )}
    </>
  )
}
