import { setTimeout as sleep } from 'node:timers/promises'
import { IngestAnswer, IngestRefusal, PlumblineError } from '@plumbline/schemas'
import { unavailable } from '../instance/api.ts'
import type { ReplayTarget } from './replay.ts'

const BATCH_EVENTS = 500
const BATCH_BYTES = 512 * 1024
const MOST_WAIT_MS = 500
const TIMEOUT_MS = 30_000
const ATTEMPTS = 6

/** The list of an answer that says that every event of a batch was refused: they are counted, and the replay goes on. */
const refusalIn = (text: string): IngestAnswer | undefined => {
  try {
    const parsed = IngestRefusal.safeParse(JSON.parse(text))
    return parsed.success ? parsed.data : undefined
  } catch {
    return undefined
  }
}

/** Where batches go. One that has never answered is not waited for. */
interface Door {
  readonly url: string
  readonly token: string | undefined
  reached: boolean
}

/** Sends a batch until it is acknowledged; the key makes a repetition after a lost answer harmless. */
const send = async (door: Door, key: string, body: Uint8Array): Promise<IngestAnswer> => {
  const { url, token } = door
  const headers = {
    'content-type': 'application/x-ndjson',
    'idempotency-key': key,
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  }
  for (let attempt = 1; ; attempt++) {
    const answer = await fetch(`${url}/v1/events`, { method: 'POST', headers, body, signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(
      (e: unknown) => e,
    )
    if (answer instanceof Response) {
      door.reached = true
      if (answer.status === 202) return IngestAnswer.parse(await answer.json())
      const busy = answer.status === 429 || answer.status >= 500
      const whole = await answer.text()
      const refused = answer.status === 422 ? refusalIn(whole) : undefined
      if (refused !== undefined) return refused
      const said = whole.slice(0, 300)
      if (!busy) throw new PlumblineError('INSTANCE_REFUSED', `${url} answered ${answer.status}: ${said}`)
      if (attempt === ATTEMPTS)
        throw new PlumblineError('INSTANCE_UNAVAILABLE', `${url} does not take it: ${answer.status} ${said}`, { retryable: true })
      await sleep(Number(answer.headers.get('retry-after') ?? 0) * 1000 || 200 * 2 ** attempt)
    } else {
      if (!door.reached || attempt === ATTEMPTS) throw unavailable(url, answer)
      await sleep(200 * 2 ** attempt)
    }
  }
}

/** Events of files as lines to a running instance's door. */
export const remoteTarget = (to: string, token: string | undefined): ReplayTarget => {
  const door: Door = { url: to.replace(/\/+$/, ''), token, reached: false }
  const run = `replay-${process.pid}-${Date.now().toString(36)}`
  const codes: Record<string, number> = {}
  let parts: Uint8Array[] = []
  let bytes = 0
  let batches = 0
  let sentAt = performance.now()
  const flush = async (): Promise<void> => {
    if (parts.length === 0) return
    const body = Buffer.concat(parts.flatMap((part) => [part, NEWLINE]))
    parts = []
    bytes = 0
    const answer = await send(door, `${run}-${batches++}`, body)
    for (const { code } of answer.errors) codes[code] = (codes[code] ?? 0) + 1
    sentAt = performance.now()
  }
  return {
    event: async (event) => {
      parts.push(event.bytes)
      bytes += event.bytes.length
      if (parts.length >= BATCH_EVENTS || bytes >= BATCH_BYTES || performance.now() - sentAt > MOST_WAIT_MS) await flush()
    },
    finish: async () => {
      await flush()
      return { codes }
    },
  }
}

const NEWLINE = Buffer.from('\n')
