import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { inspect } from 'node:util'
import { createAuthority } from '../../../../test/support/certificates.ts'
import { type TokenSourceOptions, createTokenSource } from './oauth.ts'

const SECRET = 'hunter2:&% ü'
const authority = await createAuthority()
const certificate = await authority.issue('login')

interface Endpoint {
  readonly source: (options?: Partial<TokenSourceOptions>) => () => Promise<string>
  /** What each request said: authorization header, decoded as RFC 6749 section 2.3.1 says, and the form. */
  readonly seen: { readonly user: string; readonly secret: string; readonly form: string }[]
}

const endpoint = async (t: TestContext, answer: (response: ServerResponse, nth: number) => void): Promise<Endpoint> => {
  const seen: Endpoint['seen'] = []
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const form = await text(request)
    const basic = Buffer.from((request.headers.authorization ?? '').replace(/^Basic /, ''), 'base64').toString()
    const [user = '', secret = ''] = basic.split(':').map((part) => decodeURIComponent(part.replaceAll('+', ' ')))
    answer(response, seen.push({ user, secret, form }))
  }
  const server = createServer(certificate, (request, response) => void take(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `https://localhost:${(server.address() as AddressInfo).port}/token`
  const source: Endpoint['source'] = (options) =>
    createTokenSource({ url, clientId: 'worker', clientSecret: SECRET, ca: [authority.ca], ...options })
  return { source, seen }
}

const json = (response: ServerResponse, status: number, body: object): void =>
  void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))

const grant =
  (expires_in?: number) =>
  (response: ServerResponse, nth: number): void =>
    json(response, 200, { access_token: `token-${nth}`, token_type: 'Bearer', ...(expires_in === undefined ? {} : { expires_in }) })

const refused = async (token: () => Promise<string>, pattern: RegExp): Promise<void> => {
  await assert.rejects(token(), (error: unknown) => {
    const { code, message, retryable } = error as { code?: string; message: string; retryable?: boolean }
    assert.equal(code, 'KAFKA_OAUTH_TOKEN')
    assert.equal(retryable, !/it answered 40\d /.test(message))
    assert.match(message, pattern)
    // Also not in causes, which loggers print.
    assert.ok(!inspect(error, { depth: 10 }).includes('hunter2'))
    return true
  })
}

test('one request for many who ask at once, with the secret encoded as the standard says and the scope', async (t) => {
  const { source, seen } = await endpoint(t, grant(3600))
  const token = source({ scope: 'kafka write' })
  assert.deepEqual(await Promise.all([token(), token(), token()]), ['token-1', 'token-1', 'token-1'])
  assert.deepEqual(seen, [{ user: 'worker', secret: SECRET, form: 'scope=kafka+write&grant_type=client_credentials' }])
})

test('a token is kept until shortly before its end: a minute, or a fifth of a short life', async (t) => {
  for (const [lifeS, lastS] of [
    [3600, 3539],
    [100, 79],
    [undefined, 47],
  ] as const) {
    const { source } = await endpoint(t, grant(lifeS))
    let ms = 0
    const token = source({ now: () => ms })
    assert.equal(await token(), 'token-1')
    ms = lastS * 1000
    assert.equal(await token(), 'token-1')
    ms += 1000
    assert.equal(await token(), 'token-2')
    assert.equal(await token(), 'token-2')
  }
})

test('a refusal names the options to look at and repeats nothing that was sent; the next one asks anew', async (t) => {
  const { source } = await endpoint(t, (response, nth) =>
    nth === 1
      ? json(response, 401, { error: 'invalid_client', error_description: `client secret ${SECRET} is wrong` })
      : grant(60)(response, nth),
  )
  const token = source()
  await refused(token, /localhost:\d+\/token: it answered 401 invalid_client\. Check kafkaOauthClientId, kafkaOauthClientSecret/)
  assert.equal(await token(), 'token-2')
})

test('an answer that is no token response, a redirect and an error in free words are refused', async (t) => {
  const answers: ((response: ServerResponse) => void)[] = [
    (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end(`<b>${SECRET}</b>`),
    (response) => json(response, 200, { access_token: SECRET, token_type: 7 }),
    (response) => void response.writeHead(307, { location: '/elsewhere' }).end(),
    (response) => void response.writeHead(502).end(SECRET),
  ]
  for (const answer of answers) {
    const { source, seen } = await endpoint(t, answer)
    await refused(source(), /no token response|it answered \d+/)
    assert.equal(seen.length, 1)
  }
  const { source } = await endpoint(t, (response) => json(response, 400, { error: `wrong: ${SECRET}` }))
  await refused(source(), /it answered 400 an error/)
})

test('silence, a closed port and a certificate of somebody else are told apart', async (t) => {
  const { source } = await endpoint(t, () => {})
  await refused(source({ timeoutMs: 50 }), /no answer in 0\.05 s/)
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const { port } = closed.address() as AddressInfo
  await new Promise((resolve) => closed.close(resolve))
  await refused(source({ url: `https://127.0.0.1:${port}/token` }), /cannot be reached \(ECONNREFUSED\)/)
  await refused(source({ ca: [(await createAuthority('Other')).ca] }), /not trusted \([A-Z_]+\)\. Add its authority to kafkaCaFile/)
})
