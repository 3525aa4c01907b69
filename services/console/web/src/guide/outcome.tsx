import { useEffect, useState } from 'preact/hooks'
import { alertLink } from '../route.ts'
import type { Attempt } from './attempt.ts'

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

function Running({ since }: { since: number }) {
  const [now, set] = useState(performance.now())
  useEffect(() => {
    const timer = setInterval(() => set(performance.now()), 100)
    return () => clearInterval(timer)
  }, [])
  return <span class="number">{seconds(Math.max(0, now - since))}</span>
}

const played = (attempt: Attempt): string =>
  attempt.answer === null ? '' : `${attempt.answer.events} ${attempt.answer.events === 1 ? 'event' : 'events'} sent`

/** What came of an act, in one or two lines of fixed height. */
export function Outcome({ attempt, idle }: { attempt: Attempt | null; idle: string }) {
  if (attempt === null) return <p class="outcome">{idle}</p>
  switch (attempt.phase) {
    case 'sending':
    case 'waiting':
      return (
        <p class="outcome">
          {attempt.phase === 'sending' ? 'Sending…' : `${played(attempt)}, watching…`} <Running since={attempt.startedAt} />
        </p>
      )
    case 'alert':
      return (
        <p class={attempt.request.benign ? 'outcome outcome-bad' : 'outcome outcome-alert'} role="status">
          <strong>Alert after {seconds(attempt.tookMs ?? 0)}.</strong>{' '}
          {attempt.alert !== null && (
            <a href={alertLink(attempt.alert.id)}>
              <bdi>{attempt.alert.text.headline}</bdi>
            </a>
          )}
        </p>
      )
    case 'quiet':
      return (
        <p class="outcome outcome-quiet" role="status">
          <strong>Stayed quiet.</strong> {attempt.reason}
        </p>
      )
    default:
      return (
        <p class="outcome outcome-bad" role="alert">
          {attempt.reason}
        </p>
      )
  }
}
