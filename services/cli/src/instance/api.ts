import { setTimeout as sleep } from 'node:timers/promises'
import { PlumblineError } from '@plumbline/schemas'

/** JSON over HTTP to one instance. Refusals become PlumblineErrors with the instance's own code and words. */
export interface Api {
  readonly url: string
  get(path: string): Promise<unknown>
  /** Repeated when the connection breaks or the instance is busy: only for requests that may be repeated. */
  post(path: string, body: string | Uint8Array): Promise<unknown>
}

const TIMEOUT_MS = 60_000
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

export const createApi = (base: string, token: string | undefined): Api => {
  const url = base.replace(/\/+$/, '')
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }

  const ask = async (path: string, init: RequestInit): Promise<unknown> => {
    const answer = await fetch(url + path, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) }).catch((cause: unknown) => {
      throw new PlumblineError('INSTANCE_UNAVAILABLE', `${url} does not answer`, { retryable: true, cause })
    })
    if (!answer.ok) throw await refusal(url, answer)
    return answer.json()
  }
  const persistent = async (path: string, init: RequestInit): Promise<unknown> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await ask(path, init)
      } catch (error) {
        if (!(error instanceof PlumblineError) || !error.retryable || attempt === ATTEMPTS) throw error
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
