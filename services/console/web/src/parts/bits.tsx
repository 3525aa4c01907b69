import type { AlertView, Severity } from '@plumbline/schemas'
import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { clock } from '../format.ts'

export const SEVERITY_WORDS: Readonly<Record<Severity, string>> = { low: 'Low', medium: 'Medium', high: 'High', critical: 'Critical' }

export const SeverityTag = ({ severity }: { severity: Severity }) => <span class={`tag sev-${severity}`}>{SEVERITY_WORDS[severity]}</span>

/** Names from events are isolated, so that right-to-left text cannot reorder the words around it. */
export const Name = ({ children }: { children: string }) => <bdi class="name">{children}</bdi>

export const Time = ({ ms }: { ms: number }) => (
  <time dateTime={new Date(ms).toISOString()} title={new Date(ms).toISOString()}>
    {clock(ms)}
  </time>
)

export const VERDICT_WORDS = { confirmed: 'Confirmed', safe: 'Safe', dismissed: 'Dismissed' } as const

const COUNT_HINT =
  'Events of this alert. It is told anew at its 2nd, 4th, 8th… event; those between the last two tellings were only counted'

/** "128 events (63 only counted)": events of the group, and those between its last two revisions. */
export function Count({ alert }: { alert: AlertView }) {
  if (alert.count <= 1 && alert.suppressed === 0) return null
  return (
    <span class="count" title={COUNT_HINT}>
      {alert.count.toLocaleString('en-US')} events
      {alert.suppressed > 0 && ` (${alert.suppressed.toLocaleString('en-US')} only counted)`}
    </span>
  )
}

export function Marks({ alert }: { alert: AlertView }) {
  return (
    <>
      {alert.delivery === 'held' && <span class="mark">held back by the budget</span>}
      {alert.historic && <span class="mark">history</span>}
      {alert.verdict !== null && <span class={`mark verdict-${alert.verdict}`}>{VERDICT_WORDS[alert.verdict]}</span>}
    </>
  )
}

export const Empty = ({ title, children }: { title: string; children?: ComponentChildren }) => (
  <div class="empty">
    <p class="empty-title">{title}</p>
    <p>{children}</p>
  </div>
)

export const Problem = ({ text, retry }: { text: string; retry?: () => void }) => (
  <div class="problem" role="alert">
    <p>{text}</p>
    {retry !== undefined && (
      <button type="button" onClick={retry}>
        Try again
      </button>
    )}
  </div>
)

/** Placeholder of the size of what is coming, so that nothing moves when it comes. */
export const Waiting = ({ lines }: { lines: number }) => (
  <div class="waiting" aria-busy="true" aria-label="Loading">
    {Array.from({ length: lines }, (_, i) => (
      <div key={i} class="waiting-line" />
    ))}
  </div>
)

/** Copies `text`; says so for a moment. */
export function Copy({ text, label }: { text: string; label: string }) {
  const [said, say] = useState('')
  useEffect(() => {
    if (said === '') return
    const timer = setTimeout(() => say(''), 1500)
    return () => clearTimeout(timer)
  }, [said])
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text)
      say('Copied')
    } catch {
      say('Select and copy')
    }
  }
  return (
    <button type="button" class="small" onClick={() => void copy()} aria-label={`Copy ${label}`}>
      <span aria-live="polite">{said === '' ? 'Copy' : said}</span>
    </button>
  )
}

/** Reads something when `key` changes; keeps the old value on screen until the new one is there. */
export function useRead<T>(key: string, read: () => Promise<T>): { value: T | null; error: unknown; again: () => void } {
  const [state, set] = useState<{ key: string; value: T | null; error: unknown }>({ key, value: null, error: null })
  const [turn, setTurn] = useState(0)
  useEffect(() => {
    let current = true
    read().then(
      (value) => current && set({ key, value, error: null }),
      (error: unknown) => current && set((old) => ({ key, value: old.key === key ? old.value : null, error })),
    )
    return () => {
      current = false
    }
  }, [key, turn])
  return { value: state.key === key ? state.value : null, error: state.key === key ? state.error : null, again: () => setTurn(turn + 1) }
}
