import { createHmac } from 'node:crypto'
import { lookup as dnsLookup, type LookupAddress } from 'node:dns'
import { isIP } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Alert, PlumblineError } from '@plumbline/schemas'
import { Agent, buildConnector, request } from 'undici'
import { createAddressGuard } from './address.ts'
import { type ProductInfo, toOcsf } from './ocsf.ts'
import type { AlertSink } from './sink.ts'
import { humanLine } from './text.ts'

type Resolve = (host: string, callback: (error: NodeJS.ErrnoException | null, found: readonly LookupAddress[]) => void) => void

export interface WebhookOptions {
  readonly url: string
  readonly product: ProductInfo
  /** Key of the signature header; without it the receiver cannot tell who sent. At least 16 characters. */
  readonly secret?: string
  /** `plumbline`: {text, alert}; `ocsf`: the finding alone. Default `plumbline`. */
  readonly format?: 'plumbline' | 'ocsf'
  /** Plain http is refused unless this is set. */
  readonly allowHttp?: boolean
  /** Addresses or ranges that are not public but may be reached all the same, like `127.0.0.1` or `10.1.0.0/16`. */
  readonly allowAddresses?: readonly string[]
  /** Unit: ms. Default 5,000 to connect, 10,000 for the answer. */
  readonly connectTimeoutMs?: number
  readonly answerTimeoutMs?: number
  /** Tries per delivery before it is left for later, and the first pause between them (doubled each time). Defaults 4 and 500 ms. */
  readonly attempts?: number
  readonly backoffMs?: number
  /** For tests: how names are resolved. */
  readonly resolve?: Resolve
  readonly now?: () => number
}

/** Answers that speak of this one alert; any other failure speaks of the receiver and is tried again, so that nothing is lost to a typing error. */
const REFUSED_STATUS: ReadonlySet<number> = new Set([400, 409, 413, 415, 422])
const MAX_RETRY_AFTER_MS = 60_000

/**
 * Posts each alert to one URL. Same id and revision on every try (`Idempotency-Key`), signed with
 * `Plumbline-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`. No redirects are followed. The address is checked
 * as written, as resolved, and as connected to (a name that resolves differently the second time does not get through).
 * Errors: WEBHOOK_URL_INVALID, WEBHOOK_SECRET_SHORT (at creation); WEBHOOK_REFUSED (this alert will never be taken);
 * WEBHOOK_UNAVAILABLE, WEBHOOK_ADDRESS_BLOCKED (retryable).
 */
export const createWebhookSink = (options: WebhookOptions): AlertSink => {
  const { product, secret, format = 'plumbline', attempts = 4, backoffMs = 500, now = Date.now } = options
  const url = checkedUrl(options)
  const agent = guardedAgent(options)

  let status = 0
  const post = async (alert: Alert, body: string): Promise<number | undefined> => {
    const seconds = Math.floor(now() / 1000)
    const signature = secret === undefined ? {} : { 'plumbline-signature': `t=${seconds},v1=${signatureOf(secret, seconds, body)}` }
    const answer = await request(url, {
      method: 'POST',
      dispatcher: agent,
      headersTimeout: options.answerTimeoutMs ?? 10_000,
      bodyTimeout: options.answerTimeoutMs ?? 10_000,
      headers: {
        'content-type': 'application/json',
        'user-agent': `plumbline/${product.version}`,
        'idempotency-key': `${alert.id}:${alert.revision}`,
        ...signature,
      },
      body,
    })
    await answer.body.dump({ limit: 64 * 1024 }).catch(() => undefined)
    if (answer.statusCode >= 200 && answer.statusCode < 300) return undefined
    if (REFUSED_STATUS.has(answer.statusCode))
      throw new PlumblineError('WEBHOOK_REFUSED', `The webhook answered ${answer.statusCode} and will not take this alert.`)
    status = answer.statusCode
    return retryAfterMs(answer.headers['retry-after'])
  }

  const deliverOne = async (alert: Alert): Promise<void> => {
    const body = JSON.stringify(format === 'ocsf' ? toOcsf(alert, product) : { text: humanLine(alert), alert })
    let cause: unknown
    for (let attempt = 0; attempt < attempts; attempt++) {
      let pause = backoffMs * 2 ** attempt
      try {
        const asked = await post(alert, body)
        if (asked === undefined) return
        pause = Math.max(pause, asked)
        cause = undefined
      } catch (error) {
        if (error instanceof PlumblineError && (!error.retryable || error.code === 'WEBHOOK_ADDRESS_BLOCKED')) throw error
        cause = error
      }
      if (attempt + 1 < attempts) await sleep(pause)
    }
    throw new PlumblineError(
      'WEBHOOK_UNAVAILABLE',
      `The webhook could not be reached in ${attempts} tries${cause instanceof Error ? `: ${cause.message}` : `; it answered ${status}.`}`,
      { retryable: true, cause },
    )
  }

  return {
    name: 'webhook',
    async deliver(alerts) {
      for (const alert of alerts) await deliverOne(alert)
    },
    close: () => agent.destroy(),
  }
}

/** What a receiver computes to check the signature header. */
export const signatureOf = (secret: string, unixSeconds: number, body: string): string =>
  createHmac('sha256', secret).update(`${unixSeconds}.${body}`).digest('hex')

/** 0 when nothing was asked for. */
const retryAfterMs = (header: string | readonly string[] | undefined): number => {
  const seconds = Number(typeof header === 'string' ? header : undefined)
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds * 1000, MAX_RETRY_AFTER_MS) : 0
}

/** Why alerts cannot be posted to this URL, or undefined; never repeats it. */
export const webhookUrlProblem = (text: string, allowHttp: boolean): string | undefined => {
  if (!URL.canParse(text)) return 'is not a URL'
  const url = new URL(text)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && allowHttp))
    return 'must start with https://, or with http:// where plain http is allowed (webhookAllowHttp)'
  if (url.username !== '' || url.password !== '') return 'must not carry a user name or password; use the secret'
  return undefined
}

const checkedUrl = (options: WebhookOptions): URL => {
  const problem = webhookUrlProblem(options.url, options.allowHttp === true)
  if (problem !== undefined) throw new PlumblineError('WEBHOOK_URL_INVALID', `The webhook URL ${problem}.`)
  if (options.secret !== undefined && options.secret.length < 16)
    throw new PlumblineError('WEBHOOK_SECRET_SHORT', 'The webhook secret needs at least 16 characters.')
  return new URL(options.url)
}

const blocked = (host: string): PlumblineError =>
  new PlumblineError(
    'WEBHOOK_ADDRESS_BLOCKED',
    `The webhook host ${host} is no public address; name it in allowAddresses if that is meant.`,
  )

const guardedAgent = (options: WebhookOptions): Agent => {
  const mayReach = createAddressGuard(options.allowAddresses)
  const resolve = options.resolve ?? resolveAll
  const connect = buildConnector({
    timeout: options.connectTimeoutMs ?? 5000,
    lookup: (host, _options, callback) =>
      resolve(host, (error, found) => {
        if (error !== null) callback(error, [])
        else if (found.length > 0 && found.every((a) => mayReach(a.address))) callback(null, [...found])
        else callback(blocked(host), [])
      }),
  })
  return new Agent({
    connections: 2,
    connect: (target, callback) => {
      const host = target.hostname.replace(/^\[|\]$/g, '')
      if (isIP(host) !== 0 && !mayReach(host)) return callback(blocked(host), null)
      connect(target, (...result) => {
        const [error, socket] = result
        if (error !== null || socket === null) return callback(...result)
        const peer = socket.remoteAddress ?? ''
        if (mayReach(peer)) return callback(...result)
        socket.destroy()
        callback(blocked(host), null)
      })
    },
  })
}

const resolveAll: Resolve = (host, callback) => dnsLookup(host, { all: true }, callback)
