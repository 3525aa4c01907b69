import type { AlertView, Severity } from '@plumbline/schemas'
import { useEffect, useRef, useState } from 'preact/hooks'
import { amount } from '../format.ts'
import { Count, Empty, Marks, Name, Problem, SEVERITY_WORDS, SeverityTag, Time, Waiting } from '../parts/bits.tsx'
import { alertLink, route } from '../route.ts'
import { SEVERITY_ORDER } from '../filter.ts'
import { counts, cursor, filter, fresh, listError, load, loading, partial, showHeldBack, shown, status } from '../state.ts'

function Row({ alert, chosen }: { alert: AlertView; chosen: boolean }) {
  return (
    <li>
      <a
        href={alertLink(alert.id)}
        class={`row sev-edge-${alert.severity}`}
        aria-current={chosen ? 'true' : undefined}
        data-alert={alert.id}
      >
        <span class="row-top">
          <SeverityTag severity={alert.severity} />
          <Name>{alert.facts.identity.id}</Name>
          <Time ms={alert.firstSeen} />
        </span>
        <bdi class="row-headline">{alert.text.headline}</bdi>
        <span class="row-marks">
          {fresh.value.has(alert.id) && <span class="mark mark-new">new</span>}
          <Count alert={alert} />
          <Marks alert={alert} />
        </span>
      </a>
    </li>
  )
}

function Filters() {
  const change = (part: Partial<typeof filter.value>, reload: boolean) => {
    filter.value = { ...filter.value, ...part }
    if (reload) void load(false)
  }
  return (
    <div class="filters">
      <label>
        <span class="visually-hidden">Severity</span>
        <select value={filter.value.severity} onChange={(event) => change({ severity: event.currentTarget.value as Severity }, true)}>
          {SEVERITY_ORDER.map((severity) => (
            <option key={severity} value={severity}>
              {severity === 'low' ? 'Every severity' : severity === 'critical' ? 'Critical only' : `${SEVERITY_WORDS[severity]} or worse`}
            </option>
          ))}
        </select>
      </label>
      <label class="grow">
        <span class="visually-hidden">Search in alerts</span>
        <input
          type="search"
          placeholder="Search"
          value={filter.value.search}
          onInput={(event) => change({ search: event.currentTarget.value }, false)}
        />
      </label>
      <label class="check" title="Alerts found in backfilled history">
        <input
          type="checkbox"
          checked={filter.value.historic}
          onChange={(event) => change({ historic: event.currentTarget.checked, heldBack: false }, true)}
        />
        History
      </label>
      <label class="check" title="Held back today by the alert budget, worst first">
        <input type="checkbox" checked={filter.value.heldBack} onChange={(event) => showHeldBack(event.currentTarget.checked)} />
        Held back
      </label>
    </div>
  )
}

/** While someone points at the list or moves through it, its order is held, so that nothing slips from under them. */
function useHeld(list: readonly AlertView[]): {
  rows: readonly AlertView[]
  waiting: number
  hold: (on: boolean) => void
  release: () => void
} {
  const [held, setHeld] = useState<ReadonlySet<string> | null>(null)
  const current = useRef(list)
  current.current = list
  const hold = (on: boolean) => setHeld((old) => (on ? (old ?? new Set(current.current.map((alert) => alert.id))) : null))
  const { historic, heldBack, severity, tenant, search } = filter.value
  useEffect(() => setHeld(null), [historic, heldBack, severity, tenant, search])
  if (held === null || held.size === 0) return { rows: list, waiting: 0, hold, release: () => setHeld(null) }
  const oldest = list.findLast((alert) => held.has(alert.id))
  // Older ones that were loaded on purpose are below what is held and may show.
  const rows = list.filter((alert) => held.has(alert.id) || (oldest !== undefined && alert.firstSeen < oldest.firstSeen))
  return { rows, waiting: list.length - rows.length, hold, release: () => setHeld(new Set(list.map((alert) => alert.id))) }
}

function moveFocus(event: KeyboardEvent): void {
  if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return
  const links = [...document.querySelectorAll<HTMLAnchorElement>('#list .row')]
  const at = links.indexOf(document.activeElement as HTMLAnchorElement)
  const next = links[at + (event.key === 'ArrowDown' ? 1 : -1)]
  if (next === undefined) return
  event.preventDefault()
  next.focus()
}

const showHistoric = () => {
  filter.value = { ...filter.value, historic: true }
  void load(false)
}

const OnlyHistoric = ({ found }: { found: number }) => (
  <Empty title="All quiet since the history was read">
    {amount(found)} {found === 1 ? 'alert' : 'alerts'} from history.{' '}
    <button type="button" class="small" onClick={showHistoric}>
      Show {found === 1 ? 'it' : 'them'}
    </button>
  </Empty>
)

function Nothing() {
  if (loading.value) return <Waiting lines={6} />
  const { search, severity, historic, heldBack, tenant } = filter.value
  if (search !== '' || severity !== 'low') {
    return <Empty title="Nothing matches">Widen the filter to see more.</Empty>
  }
  if (heldBack) return <Empty title="Nothing was held back today">Every alert was within the budget of its day.</Empty>
  if (status.value?.ready !== true) return <Empty title="Starting">Alerts show here as soon as the first events are scored.</Empty>
  if (historic) return <Empty title="No alerts from history">Nothing in backfilled events would have alerted.</Empty>
  const found = counts.value?.historic ?? 0
  if (found > 0) return <OnlyHistoric found={found} />
  const demo = status.value.demo && (tenant === '' || tenant === 'demo')
  return <Empty title="All quiet">Nothing unusual so far. {demo ? 'Try an attack above, or connect an agent.' : ''}</Empty>
}

export function AlertList() {
  const list = shown.value
  const { rows, waiting, hold, release } = useHeld(list)
  const at = route.value
  const chosen = at.view === 'alert' ? at.id : ''
  return (
    <section class="list-panel" aria-label="Alerts">
      <Filters />
      {listError.value !== '' && <Problem text={listError.value} retry={() => void load(false)} />}
      <div
        id="list"
        class="list"
        tabIndex={-1}
        onKeyDown={moveFocus}
        onPointerEnter={() => hold(true)}
        onPointerLeave={() => hold(false)}
        onFocusIn={() => hold(true)}
        onFocusOut={(event) => !event.currentTarget.contains(event.relatedTarget as Node | null) && hold(false)}
      >
        {waiting > 0 && (
          <button type="button" class="fresh" onClick={release}>
            Show {waiting} new
          </button>
        )}
        {rows.length === 0 ? (
          <Nothing />
        ) : (
          <ol>
            {rows.map((alert) => (
              <Row key={alert.id} alert={alert} chosen={alert.id === chosen} />
            ))}
          </ol>
        )}
        {partial.value && rows.length > 0 && <p class="note later">Older alerts show once the store is ready.</p>}
        {cursor.value !== null && rows.length > 0 && (
          <button type="button" class="more" disabled={loading.value} onClick={() => void load(true)}>
            {loading.value ? 'Loading…' : 'Older alerts'}
          </button>
        )}
      </div>
    </section>
  )
}
