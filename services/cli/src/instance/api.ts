import { setTimeout as sleep } from 'node:timers/promises'
import { PlumblineError } from '@plumbline/schemas'

/**
 * JSON over HTTP to one instance. Refusals become PlumblineErrors with the instance's own code and words. One that has
 * never answered is not waited for: INSTANCE_UNAVAILABLE at once.
 */
export interface Api {
  readonly url: string
  get(path: string): Promise<unknown>
  /** Repeated when the connection breaks or the instance is busy: only for requests that may be repeated. */
  post(path: string, body: string | Uint8Array): Promise<unknown>
}

const TIMEOUT_MS = 60_000
/** For the first answer to a question: an address behind which nobody drops a connection is given up after this long. */
const FIRST_TIMEOUT_MS = 10_000
const ATTEMPTS = 5
const FIRST_PAUSE_MS = 200

interface Said {
  readonly code?: string
  readonly message?: string
  readonly remedy?: string
}

const refusal = async (url: string, answer: Response): Promise<PlumblineError> => {
  const said = (await answer.json().catch(() => ({}))) as Said
  const words = said.message === undefined ? `${url} answered ${answer.status}` : `${said.message} ${said.remedy ?? ''}`.trim()
  return new PlumblineError(said.code ?? `HTTP_${answer.status}`, words, { retryable: answer.status >= 500 || answer.status === 429 })
}

/** Nobody is there, or nobody answers in time: with the reason in the words of the network. */
export const unavailable = (url: string, cause: unknown): PlumblineError => {
  const deeper = cause instanceof Error ? (cause.cause ?? cause) : cause
  const why = deeper instanceof Error ? ((deeper as NodeJS.ErrnoException).code ?? deeper.message) : String(deeper)
  return new PlumblineError('INSTANCE_UNAVAILABLE', `${url} does not answer (${why}); is it running, and is the port right?`, {
    retryable: true,
    cause,
  })
}

export const createApi = (base: string, token: string | undefined): Api => {
  const url = base.replace(/\/+$/, '')
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }

  let reached = false

  const ask = async (path: string, init: RequestInit): Promise<unknown> => {
    const limitMs = reached || init.method === 'POST' ? TIMEOUT_MS : FIRST_TIMEOUT_MS
    const answer = await fetch(url + path, { ...init, signal: AbortSignal.timeout(limitMs) }).catch((cause: unknown) => {
      throw unavailable(url, cause)
    })
    reached = true
    if (!answer.ok) throw await refusal(url, answer)
    return answer.json()
  }
  const persistent = async (path: string, init: RequestInit): Promise<unknown> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await ask(path, init)
      } catch (error) {
        if (!(error instanceof PlumblineError) || !error.retryable || !reached || attempt === ATTEMPTS) throw error
        await sleep(FIRST_PAUSE_MS * 2 ** attempt)
      }
    }
  }

  return {
    url,
    get: (path) => persistent(path, { headers }),
    post: (path, body) =>
      persistent(path, { method: 'POST', headers: { ...headers, 'content-type': 'application/octet-stream' }, body: body as string }),
  }
}
