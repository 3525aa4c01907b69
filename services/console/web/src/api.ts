import type { ApiError } from '@plumbline/schemas'
import { signal } from '@preact/signals'
import { eventParser, type ServerEvent } from './sse.ts'

const KEY = 'plumbline.token'

export const token = signal(sessionStorage.getItem(KEY) ?? '')

/** The token was refused: ask for another. */
export const refused = signal(false)

/** Keeps a token for this tab. */
export function setToken(value: string): void {
  sessionStorage.setItem(KEY, value)
  token.value = value
  refused.value = false
}

/** Reads the one-time `#token=` of the printed link and takes it out of the address. */
function takeToken(): void {
  const given = /^#token=([^&\s]+)/.exec(location.hash)?.[1]
  if (given === undefined) return
  history.replaceState(null, '', location.pathname)
  setToken(decodeURIComponent(given))
}
takeToken()
// The link pasted into an open tab changes only what is behind the #: the page is not loaded anew.
addEventListener('hashchange', takeToken)

/** A refusal in words: what is wrong and what to do. */
export class Refusal extends Error {
  readonly code: string
  readonly remedy: string
  constructor(error: ApiError) {
    super(error.message)
    this.code = error.code
    this.remedy = error.remedy
  }
}

const headers = (): Record<string, string> => ({ authorization: `Bearer ${token.value}` })

async function refusalOf(response: Response): Promise<Refusal> {
  if (response.status === 401) refused.value = true
  try {
    return new Refusal((await response.json()) as ApiError)
  } catch {
    return new Refusal({
      code: `HTTP_${response.status}`,
      message: 'The service did not answer as expected.',
      remedy: 'Is it still running?',
    })
  }
}

/** @throws Refusal; TypeError when the service cannot be reached. */
export async function call<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<T> {
  const response = await fetch(path, {
    method,
    headers: { ...headers(), ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  if (!response.ok) throw await refusalOf(response)
  return (response.status === 204 ? undefined : await response.json()) as T
}

export const get = <T>(path: string): Promise<T> => call<T>('GET', path)

export function words(error: unknown): string {
  if (error instanceof Refusal) return `${error.message} ${error.remedy}`
  return 'The service cannot be reached. Is it still running?'
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Follows the stream for ever, resuming after the last event seen; `live` says whether it is connected. */
export async function follow(on: (event: ServerEvent) => void, live: (connected: boolean) => void): Promise<void> {
  let lastId = ''
  let wait = 500
  for (;;) {
    if (token.value !== '' && !refused.value) {
      try {
        const response = await fetch('/v1/alerts/stream', { headers: { ...headers(), ...(lastId !== '' && { 'last-event-id': lastId }) } })
        if (!response.ok || response.body === null) throw await refusalOf(response)
        live(true)
        wait = 500
        const parse = eventParser((event) => {
          if (event.id !== '') lastId = event.id
          on(event)
        })
        const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
        for (let part = await reader.read(); !part.done; part = await reader.read()) parse(part.value)
      } catch {
        // Lost or refused: shown by `live`, tried again below.
      }
      live(false)
    }
    await pause(wait)
    wait = Math.min(wait * 2, 5000)
  }
}
