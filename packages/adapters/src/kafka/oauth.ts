import { PlumblineError } from '@plumbline/schemas'
import {
  ClientSecretBasic,
  ResponseBodyError,
  allowInsecureRequests,
  clientCredentialsGrantRequest,
  customFetch,
  processClientCredentialsResponse,
} from 'oauth4webapi'
import { Agent, fetch as undiciFetch } from 'undici'

export interface TokenSourceOptions {
  /** Token endpoint. https, or http on loopback. */
  readonly url: string
  readonly clientId: string
  readonly clientSecret: string
  readonly scope?: string
  /** Certificate authorities of the endpoint, PEM. Default: the machine's. */
  readonly ca?: readonly string[]
  /** Unit: ms. Default 10,000. */
  readonly timeoutMs?: number
  /** Unit: ms since 1970. */
  readonly now?: () => number
}

const TIMEOUT_MS = 10_000
/** A token is replaced when this part of its life is left, but no earlier than a minute before its end. */
const SPARE_PART = 0.2
const MOST_SPARE_MS = 60_000
/** What is assumed of a token that does not say how long it lives. */
const UNKNOWN_LIFE_MS = 60_000

interface Token {
  readonly value: string
  readonly renewAtMs: number
}

/** Why no token came, in words that hold no secret: answers and causes of the request may repeat what was sent. */
const reasonOf = (error: unknown, timeoutMs: number): string => {
  if (error instanceof ResponseBodyError) {
    // The registered codes, like invalid_client; the description beside them is free text.
    const code = /^[a-z_]{1,40}$/.test(error.error) ? error.error : 'an error'
    return `it answered ${error.status} ${code}. Check kafkaOauthClientId, kafkaOauthClientSecret and kafkaOauthScope`
  }
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    if (at.name === 'TimeoutError') return `no answer in ${timeoutMs / 1000} s`
    const { code } = at as { code?: unknown }
    if (typeof code !== 'string' || !/^[A-Z][A-Z0-9_]{1,60}$/.test(code) || code.startsWith('OAUTH_')) continue
    if (/CERT|ISSUER|SIGNED|SIGNATURE/.test(code)) return `its certificate is not trusted (${code}). Add its authority to kafkaCaFile`
    return `it cannot be reached (${code})`
  }
  return 'what it answers is no token response. Check kafkaOauthTokenUrl'
}

/** The server knows what it was asked and says no: asking again does not help. */
const isRefusal = (error: unknown): boolean => error instanceof ResponseBodyError && error.status < 500

/**
 * Access tokens of the client credentials grant (RFC 6749 section 4.4). One request at a time however many ask; a token is kept
 * until shortly before its end; a failure is not kept. Errors: KAFKA_OAUTH_TOKEN (retryable unless it was a refusal),
 * without any secret.
 */
export const createTokenSource = (options: TokenSourceOptions): (() => Promise<string>) => {
  const { clientId, clientSecret, scope, ca, timeoutMs = TIMEOUT_MS, now = Date.now } = options
  const url = new URL(options.url)
  const server = { issuer: url.origin, token_endpoint: url.href }
  const client = { client_id: clientId }
  const dispatcher = new Agent(ca === undefined ? {} : { connect: { ca: [...ca] } })
  const viaAgent = (input: string, init: object): Promise<Response> =>
    undiciFetch(input, { ...init, dispatcher }) as unknown as Promise<Response>

  const request = async (): Promise<Token> => {
    const begunMs = now()
    try {
      const response = await clientCredentialsGrantRequest(
        server,
        client,
        ClientSecretBasic(clientSecret),
        scope === undefined ? {} : { scope },
        {
          [customFetch]: viaAgent,
          // Only loopback gets here with http (checkKafkaConfig).
          [allowInsecureRequests]: url.protocol === 'http:',
          signal: AbortSignal.timeout(timeoutMs),
        },
      )
      const { access_token, expires_in } = await processClientCredentialsResponse(server, client, response)
      const lifeMs = expires_in === undefined ? UNKNOWN_LIFE_MS : expires_in * 1000
      return { value: access_token, renewAtMs: begunMs + lifeMs - Math.min(lifeMs * SPARE_PART, MOST_SPARE_MS) }
    } catch (error) {
      const text = `No access token for Kafka from ${url.origin}${url.pathname}: ${reasonOf(error, timeoutMs)}.`
      throw new PlumblineError('KAFKA_OAUTH_TOKEN', text, { retryable: !isRefusal(error) })
    }
  }

  let kept: Token | undefined
  let running: Promise<Token> | undefined
  return async () => {
    if (kept !== undefined && now() < kept.renewAtMs) return kept.value
    running ??= request().finally(() => {
      running = undefined
    })
    kept = await running
    return kept.value
  }
}
