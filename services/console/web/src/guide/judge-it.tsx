import type { Verdict } from '@plumbline/schemas'
import { useState } from 'preact/hooks'
import { Verdicts } from '../parts/verdicts.tsx'
import { route } from '../route.ts'
import { alerts, status } from '../state.ts'
import { play, repeated, tried } from './attempt.ts'
import { Outcome } from './outcome.tsx'

const EXPECTED: Readonly<Record<Verdict, string>> = {
  safe: 'Now repeat the act: it should stay quiet.',
  confirmed: 'Now repeat the act: it should be reported again.',
  dismissed: 'Now repeat the act: it should be reported again.',
}

const expected = (verdict: Verdict, before: Verdict | null): string =>
  before === 'safe' && verdict !== 'safe'
    ? 'What the safe verdict taught stays learned, so the same act may stay quiet.'
    : EXPECTED[verdict]

interface Given {
  readonly id: string
  readonly verdict: Verdict
  readonly before: Verdict | null
}

/** Judges the alert that is open, or else the one that "Try it" raised. */
export function JudgeIt() {
  const [given, setGiven] = useState<Given | null>(null)
  const at = route.value
  const raised = tried.value?.alert ?? null
  const id = at.view === 'alert' ? at.id : raised?.id
  const alert = id === undefined ? undefined : alerts.value.get(id)
  const verdict = alert === undefined ? null : given?.id === alert.id ? given.verdict : alert.verdict
  const repeatable = tried.value !== null && alert !== undefined && raised?.id === alert.id
  const demo = status.value?.demo === true
  const busy = repeated.value?.phase === 'sending' || repeated.value?.phase === 'waiting'
  return (
    <section class="panel" aria-labelledby="judge-title">
      <h2 id="judge-title">
        <span class="step">3</span> Judge it
      </h2>
      {alert === undefined ? (
        <p class="story">
          {demo
            ? 'Open an alert, or play an act first. Your verdict changes what is reported: mark it safe, repeat the act, and it stays quiet.'
            : 'Open an alert. Your verdict changes what is reported: mark it safe, and the like stays quiet.'}
        </p>
      ) : (
        <>
          <p class="story clamp">
            <bdi>{alert.text.headline}</bdi>
          </p>
          <Verdicts key={alert.id} alert={alert} given={(value, before) => setGiven({ id: alert.id, verdict: value, before })} />
          {repeatable ? (
            <>
              <button
                type="button"
                class="primary"
                disabled={busy || verdict === null}
                onClick={() => tried.value !== null && void play(repeated, tried.value.request)}
              >
                {busy ? 'Playing…' : 'Repeat the act'}
              </button>
              <Outcome
                attempt={repeated.value}
                idle={verdict === null ? 'First give a verdict.' : expected(verdict, given?.id === alert.id ? given.before : null)}
              />
            </>
          ) : (
            demo && <p class="outcome">To see what a verdict changes, play an act under “Try it” and judge its alert.</p>
          )}
        </>
      )}
    </section>
  )
}
