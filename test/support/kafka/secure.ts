import { generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import { type Authority, type Certificate, createAuthority } from '../certificates.ts'
import { type BrokerExtras, type ExtraBroker, startApacheKafka } from './apache.ts'

/** One password for all users of the test broker. Tests look for it where no secret may be. */
export const PASSWORD = 'hunter2-correct-horse'

/** Where its access tokens come from. */
interface TokenServer {
  readonly url: string
  readonly jwks: string
  close(): void
}

export interface SecureBroker extends ExtraBroker {
  readonly authority: Authority
  readonly tokenUrl: string
}

/** How long a login with a token lasts. The client logs in again 10 s before its end. */
export const SESSION_MS = 11_000

const AUDIENCE = 'kafka-of-the-test'
const ISSUER = 'https://login.test.example'

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** An authorization server that gives every client that knows PASSWORD a signed token with its own id as subject. */
const startTokenServer = async (certificate: Certificate): Promise<TokenServer> => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const kid = 'test-1'
  const tokenFor = (sub: string): string => {
    const now = Math.floor(Date.now() / 1000)
    const claims = { sub, iss: ISSUER, aud: AUDIENCE, iat: now, exp: now + 300, scope: 'kafka' }
    const signed = `${base64url({ alg: 'RS256', kid, typ: 'JWT' })}.${base64url(claims)}`
    return `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`
  }
  const server = createServer(certificate, (request, response) => {
    const basic = Buffer.from((request.headers.authorization ?? '').replace(/^Basic /, ''), 'base64').toString()
    const [id = '', secret = ''] = basic.split(':').map(decodeURIComponent)
    void text(request).then(() => {
      const known = secret === PASSWORD
      const body = known ? { access_token: tokenFor(id), token_type: 'Bearer', expires_in: 300 } : { error: 'invalid_client' }
      response.writeHead(known ? 200 : 401, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' }
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    jwks: JSON.stringify({ keys: [jwk] }),
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

const LOGIN = 'org.apache.kafka.common.security'

const settingsOf = (dir: string, users: readonly string[]): Record<string, string> => {
  const sasl = (name: string): string => `listener.name.login.${name}`
  const plainUsers = users.map((user) => `user_${user}="${PASSWORD}"`).join(' ')
  return {
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'allow.everyone.if.no.acl.found': 'false',
    // Whoever comes in by the listener without login: the broker itself, and the test as administrator.
    'super.users': 'User:ANONYMOUS',
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': join(dir, 'tls', 'keystore.pem'),
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': join(dir, 'tls', 'ca.pem'),
    'listener.name.tls.ssl.client.auth': 'required',
    'listener.name.tls.ssl.principal.mapping.rules': 'RULE:^CN=(.*?)$/$1/',
    [sasl('sasl.enabled.mechanisms')]: 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    [sasl('plain.sasl.jaas.config')]: `${LOGIN}.plain.PlainLoginModule required ${plainUsers};`,
    [sasl('scram-sha-256.sasl.jaas.config')]: `${LOGIN}.scram.ScramLoginModule required;`,
    [sasl('scram-sha-512.sasl.jaas.config')]: `${LOGIN}.scram.ScramLoginModule required;`,
    [sasl('oauthbearer.sasl.jaas.config')]: `${LOGIN}.oauthbearer.OAuthBearerLoginModule required;`,
    [sasl('oauthbearer.sasl.server.callback.handler.class')]: `${LOGIN}.oauthbearer.OAuthBearerValidatorCallbackHandler`,
    [sasl('oauthbearer.sasl.oauthbearer.jwks.endpoint.url')]: jwksUrl(dir),
    [sasl('oauthbearer.sasl.oauthbearer.expected.audience')]: AUDIENCE,
    [sasl('oauthbearer.sasl.oauthbearer.expected.issuer')]: ISSUER,
    // Short sessions: the client has to log in again on connections that are open, or they are closed.
    [sasl('oauthbearer.connections.max.reauth.ms')]: String(SESSION_MS),
  }
}

const jwksUrl = (dir: string): string => pathToFileURL(join(dir, 'tls', 'jwks.json')).href

/**
 * A broker with TLS, logins and ACLs: the listeners TLS (certificate of the client is the user), LOGIN (SASL over TLS) and
 * PLAINTEXT (administrator). Nobody may do anything that no ACL allows.
 */
export const startSecureKafka = async (users: readonly string[]): Promise<SecureBroker> => {
  const authority = await createAuthority('Kafka of the test')
  const certificate = await authority.issue('broker', ['127.0.0.1'])
  const tokens = await startTokenServer(await authority.issue('login'))
  const scram = users.flatMap((user) =>
    ['256', '512'].flatMap((bits) => ['--add-scram', `SCRAM-SHA-${bits}=[name=${user},password=${PASSWORD}]`]),
  )
  const extras: BrokerExtras = {
    listeners: { TLS: 'SSL', LOGIN: 'SASL_SSL' },
    settings(dir) {
      mkdirSync(join(dir, 'tls'))
      writeFileSync(join(dir, 'tls', 'keystore.pem'), certificate.key + certificate.cert, { mode: 0o600 })
      writeFileSync(join(dir, 'tls', 'ca.pem'), authority.ca)
      writeFileSync(join(dir, 'tls', 'jwks.json'), tokens.jwks)
      return settingsOf(dir, users)
    },
    formatArgs: scram,
    properties: (dir) => [`-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${jwksUrl(dir)}`],
  }
  try {
    const broker = await startApacheKafka(extras)
    const stop = async (): Promise<void> => {
      tokens.close()
      await broker.stop()
    }
    return { ...broker, authority, tokenUrl: tokens.url, stop }
  } catch (error) {
    tokens.close()
    throw error
  }
}
