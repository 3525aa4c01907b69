import type { AlertView, Verdict, VerdictAnswer } from '@plumbline/schemas'
import { useState } from 'preact/hooks'
import { call, words } from '../api.ts'
import { upsert } from '../state.ts'
import { VERDICT_WORDS } from './bits.tsx'

const CHOICES: readonly { readonly verdict: Verdict; readonly does: string }[] = [
  { verdict: 'confirmed', does: 'A real incident. Risk rises, and nothing more is learned from it.' },
  { verdict: 'safe', does: 'This is normal. It is learned, and the same act stays quiet.' },
  { verdict: 'dismissed', does: 'Harmless this time. The same act is reported again.' },
]

/** What each does once this was called safe: nothing is unlearned. */
const AFTER_SAFE: Partial<Record<Verdict, string>> = {
  confirmed: 'A real incident after all. Reported again; what was learned of it stays.',
  dismissed: 'Noted only. What was called safe stays learned and quiet.',
}

/** The three verdicts, each with what it does. Shown as given only once the service has it durably. */
export function Verdicts({ alert, given }: { alert: AlertView; given?: (verdict: Verdict, before: Verdict | null) => void }) {
  const [busy, setBusy] = useState<Verdict | null>(null)
  const [said, say] = useState<{ readonly text: string; readonly bad: boolean }>({ text: '', bad: false })
  const judge = async (verdict: Verdict) => {
    setBusy(verdict)
    try {
      const answer = await call<VerdictAnswer>('POST', `/v1/alerts/${encodeURIComponent(alert.id)}/verdict`, { verdict })
      upsert([{ ...alert, verdict: answer.verdict }])
      say({ text: `Recorded. ${answer.effect}`, bad: false })
      given?.(verdict, alert.verdict)
    } catch (error) {
      say({ text: words(error), bad: true })
    } finally {
      setBusy(null)
    }
  }
  return (
    <section class="verdicts" aria-label="Your verdict">
      {CHOICES.map(({ verdict, does }) => (
        <button
          key={verdict}
          type="button"
          class={`verdict verdict-button-${verdict}`}
          aria-pressed={alert.verdict === verdict}
          disabled={busy !== null}
          onClick={() => void judge(verdict)}
        >
          <span class="verdict-name">{VERDICT_WORDS[verdict]}</span>
          <span class="verdict-does">{(alert.verdict === 'safe' && AFTER_SAFE[verdict]) || does}</span>
        </button>
      ))}
      <p class={said.bad ? 'verdict-said bad' : 'verdict-said'} role="status">
        {said.text}
      </p>
    </section>
  )
}
