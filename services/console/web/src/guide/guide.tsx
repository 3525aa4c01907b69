import { useState } from 'preact/hooks'
import { ConnectYours } from './connect-yours.tsx'
import { JudgeIt } from './judge-it.tsx'
import { TryIt } from './try-it.tsx'

const KEY = 'plumbline.guide'

/** Open at first, except on a narrow screen, where the alerts would be far below. */
function startsOpen(): boolean {
  const chosen = localStorage.getItem(KEY)
  return chosen === null ? !matchMedia('(max-width: 860px)').matches : chosen === 'open'
}

/** The three first things to do, in order. Folds away for good once someone knows them. */
export function Guide() {
  const [open, set] = useState(startsOpen)
  const toggle = () => {
    localStorage.setItem(KEY, open ? 'closed' : 'open')
    set(!open)
  }
  return (
    <section class="guide" aria-label="First steps">
      <button type="button" class="guide-toggle" aria-expanded={open} onClick={toggle}>
        {open ? 'Hide first steps' : 'First steps: try it, connect yours, judge it'}
      </button>
      {open && (
        <div class="guide-row">
          <TryIt />
          <ConnectYours />
          <JudgeIt />
        </div>
      )}
    </section>
  )
}
