import { useState } from 'preact/hooks'
import { refused, setToken } from '../api.ts'

/** Shown when the page was opened without the printed link, or the token was refused. */
export function TokenGate() {
  const [value, set] = useState('')
  const submit = (event: Event) => {
    event.preventDefault()
    if (value.trim() === '') return
    setToken(value.trim())
  }
  return (
    <main class="gate">
      <h1>Plumbline</h1>
      <p>
        Open the link that was printed when the service started: it carries the token. Or enter the token here; it stays in this tab only.
      </p>
      {refused.value && (
        <p class="gate-refused" role="alert">
          That token was refused. Has the service been restarted with another one?
        </p>
      )}
      <form onSubmit={submit}>
        <label>
          Token
          <input type="password" autocomplete="off" value={value} onInput={(event) => set(event.currentTarget.value)} />
        </label>
        <button type="submit" class="primary">
          Open
        </button>
      </form>
    </main>
  )
}
