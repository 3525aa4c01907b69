import type { AlertView } from '@plumbline/schemas'
import { useEffect, useState } from 'preact/hooks'
import { bytes } from '../format.ts'
import { alertLink } from '../route.ts'
import { alerts } from '../state.ts'
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

/** What was played, in numbers: "22 events, 1.1 GB sent out"; and by whom, where it is not the one that was chosen. */
function played({ answer, request }: Attempt): string {
  if (answer === null) return ''
  const by = answer.identity === request.agent ? '' : ` by ${answer.identity}`
  const events = `${answer.events.toLocaleString('en-US')} ${answer.events === 1 ? 'event' : 'events'}${by}`
  return answer.bytesOut >= 1e6 ? `${events}, ${bytes(answer.bytesOut)} sent out` : events
}

/** An alert goes on while the events of the act come in. */
const newest = (alert: AlertView): AlertView => alerts.value.get(alert.id) ?? alert

/** What came of an act, in one or two lines of fixed height. */
export function Outcome({ attempt, idle }: { attempt: Attempt | null; idle: string }) {
  if (attempt === null) return <p class="outcome">{idle}</p>
  switch (attempt.phase) {
    case 'sending':
    case 'waiting':
      return (
        <p class="outcome">
          {attempt.phase === 'sending' ? 'Sending…' : `${played(attempt)}. Watching…`} <Running since={attempt.startedAt} />
        </p>
      )
    case 'alert':
      return (
        <p class={attempt.request.benign ? 'outcome outcome-bad' : 'outcome outcome-alert'} role="status">
          <strong>Alert after {seconds(attempt.tookMs ?? 0)}.</strong>{' '}
          {attempt.alert !== null && (
            <a href={alertLink(attempt.alert.id)}>
              <bdi>{newest(attempt.alert).text.headline}</bdi>
            </a>
          )}
        </p>
      )
    case 'quiet':
      return (
        <p class="outcome outcome-quiet" role="status">
          <strong>Stayed quiet:</strong> {played(attempt)}. <bdi>{attempt.reason}</bdi>
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
