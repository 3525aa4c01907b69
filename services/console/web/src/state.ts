import { SEVERITY_ORDER, type AlertFilterState, startOfDay } from './filter.ts'
import type { AlertPage, AlertView, IngestNotice, StatusView } from '@plumbline/schemas'
import { batch, computed, signal } from '@preact/signals'
import { follow, get, refused, token, words } from './api.ts'
import { route } from './route.ts'

export const connected = signal(false)
export const everConnected = signal(false)
export const status = signal<StatusView | null>(null)
export const alerts = signal<ReadonlyMap<string, AlertView>>(new Map())
export const loading = signal(true)
export const listError = signal('')
/** The store is still away: older alerts are missing from the list. */
export const partial = signal(false)
export const cursor = signal<string | null>(null)
export const filter = signal<AlertFilterState>({ tenant: '', severity: 'low', search: '', historic: false, heldBack: false })
export const notices = signal<readonly IngestNotice[]>([])
/** Alerts as they arrive, for whoever waits for one; the newest only. */
export const arrived = signal<{ readonly at: number; readonly alert: AlertView } | null>(null)

const byTime = (a: AlertView, b: AlertView): number => b.firstSeen - a.firstSeen || (a.id < b.id ? 1 : -1)
const byScore = (a: AlertView, b: AlertView): number => b.score - a.score || byTime(a, b)

export const shown = computed<readonly AlertView[]>(() => {
  const { tenant, severity, search, historic, heldBack } = filter.value
  const today = startOfDay(Date.now())
  const needle = search.trim().toLowerCase()
  return [...alerts.value.values()]
    .filter((alert) => alert.historic === historic)
    .filter((alert) => !heldBack || (alert.delivery === 'held' && alert.firstSeen >= today))
    .filter((alert) => tenant === '' || alert.facts.tenant === tenant)
    .filter((alert) => SEVERITY_ORDER.indexOf(alert.severity) >= SEVERITY_ORDER.indexOf(severity))
    .filter((alert) => needle === '' || `${alert.facts.identity.id} ${alert.text.headline}`.toLowerCase().includes(needle))
    .sort(heldBack ? byScore : byTime)
})

export const tenants = computed<readonly string[]>(() => {
  const names = new Set([...alerts.value.values()].map((alert) => alert.facts.tenant))
  for (const model of status.value?.model ?? []) names.add(model.tenant)
  if (status.value?.demo === true) names.add('demo')
  return [...names].sort()
})

const newestRevision = new Map<string, number>()

export function upsert(list: readonly AlertView[]): void {
  if (list.length === 0) return
  const next = new Map(alerts.value)
  for (const alert of list) {
    const known = next.get(alert.id)
    if (known === undefined || known.revision <= alert.revision) {
      next.set(alert.id, alert)
      newestRevision.set(alert.id, Math.max(newestRevision.get(alert.id) ?? 0, alert.revision))
    }
  }
  alerts.value = next
}

function queryOf(after: string | null): string {
  const query = new URLSearchParams({ limit: '100', historic: String(filter.value.historic), severity: filter.value.severity })
  if (filter.value.tenant !== '') query.set('tenant', filter.value.tenant)
  if (filter.value.heldBack) {
    query.set('delivery', 'held')
    query.set('sort', 'score')
    query.set('since', String(startOfDay(Date.now())))
  }
  if (after !== null) query.set('cursor', after)
  return `/v1/alerts?${query.toString()}`
}

const RETRY_MS = 2000
let retry: ReturnType<typeof setTimeout> | undefined

/** Reads the newest page, or the next one. */
export async function load(more: boolean): Promise<void> {
  loading.value = true
  try {
    const page = await get<AlertPage>(queryOf(more ? cursor.value : null))
    batch(() => {
      upsert(page.alerts)
      cursor.value = page.cursor
      partial.value = page.partial
      listError.value = ''
    })
  } catch (error) {
    listError.value = words(error)
  } finally {
    loading.value = false
    clearTimeout(retry)
    if (partial.value) retry = setTimeout(() => void load(false), RETRY_MS)
  }
}

/** Shows only what the budget held back today, or everything again. */
export function showHeldBack(on: boolean): void {
  filter.value = { ...filter.value, heldBack: on, historic: on ? false : filter.value.historic }
  void load(false)
}

/** Changes of the stream are drawn a few times a second, however many arrive. */
const FRAME_MS = 150
let waiting: AlertView[] = []
let timer: ReturnType<typeof setTimeout> | undefined

function enqueue(alert: AlertView): void {
  waiting.push(alert)
  timer ??= setTimeout(() => {
    const list = waiting
    waiting = []
    timer = undefined
    upsert(list)
  }, FRAME_MS)
}

/** Takes everything of a removed tenant off the page. */
export function dropTenant(tenant: string): void {
  const at = route.value
  const open = at.view === 'identity' ? at.tenant : at.view === 'alert' ? alerts.value.get(at.id)?.facts.tenant : undefined
  batch(() => {
    if (open === tenant) location.hash = '#/'
    alerts.value = new Map([...alerts.value].filter(([, alert]) => alert.facts.tenant !== tenant))
    if (filter.value.tenant === tenant) chooseTenant('')
  })
}

export function chooseTenant(tenant: string): void {
  filter.value = { ...filter.value, tenant }
  void load(false)
}

/** What arrived a moment ago. Alerts are sorted by when their events happened, so a new one need not be the first. */
export const fresh = signal<ReadonlySet<string>>(new Set())
const FRESH_MS = 120_000

function markFresh(id: string): void {
  // While history is replayed everything is new, and the mark would say nothing.
  if (status.value?.progress !== null) return
  fresh.value = new Set([...fresh.value, id])
  setTimeout(() => (fresh.value = new Set([...fresh.value].filter((each) => each !== id))), FRESH_MS)
}

/** The numbers of the chosen tenant; of all together when none is chosen. */
export const counts = computed(() => {
  const { tenant } = filter.value
  const all = status.value
  if (all === null) return undefined
  if (tenant !== '') return all.counts.find((each) => each.tenant === tenant)
  return { ...all, historic: all.counts.reduce((sum, each) => sum + each.historic, 0) }
})

function announce(alert: AlertView): void {
  arrived.value = { at: performance.now(), alert }
  markFresh(alert.id)
}

function takeStatus(next: StatusView): void {
  // Said as an event too, but that may have been missed.
  if (status.value?.demo === true && !next.demo) dropTenant('demo')
  status.value = next
}

export function start(): void {
  void follow(
    ({ event, data }) => {
      const value: unknown = JSON.parse(data)
      if (event === 'alert') {
        const alert = value as AlertView
        // A verdict sends the same revision again; only a new one is news, and that a group is over is none.
        if ((newestRevision.get(alert.id) ?? 0) < alert.revision && alert.activity !== 'close') announce(alert)
        newestRevision.set(alert.id, alert.revision)
        enqueue(alert)
      } else if (event === 'status') takeStatus(value as StatusView)
      else if (event === 'ingest') notices.value = [value as IngestNotice, ...notices.value].slice(0, 10)
      else if (event === 'removed') dropTenant((value as { tenant: string }).tenant)
      else if (event === 'reset') void load(false)
    },
    (live) => {
      connected.value = live
      if (live) everConnected.value = true
    },
  )
}

export const needsToken = computed(() => token.value === '' || refused.value)
