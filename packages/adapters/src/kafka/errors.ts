import { PlumblineError } from '@plumbline/schemas'

/** An error and what is wrapped in it, outermost first: the client wraps its own several times. */
export const causesOf = (error: unknown): Error[] => {
  const found: Error[] = []
  let at: unknown = error
  while (at instanceof Error && found.length < 8) {
    found.push(at)
    const { errors } = at as { errors?: readonly unknown[] }
    at = at.cause ?? errors?.[0]
  }
  return found
}

/** The broker's own word for an error (`NOT_COORDINATOR`, …), looked up through what kafkajs wraps around it. */
export const brokerErrorType = (error: unknown): string | undefined =>
  causesOf(error)
    .map((cause) => (cause as { type?: unknown }).type)
    .find((type): type is string => typeof type === 'string' && type !== '')

/** Another producer has this transactional id now, or the broker ended a transaction that took too long. */
export const isFenced = (error: unknown): boolean => brokerErrorType(error) === 'INVALID_PRODUCER_EPOCH'

/** What keeps this process from the brokers and does not pass by itself, with the options to look at. */
export interface AccessProblem {
  readonly code: 'KAFKA_TLS' | 'KAFKA_AUTH' | 'KAFKA_ACCESS'
  readonly message: string
}

export const tlsProblem = (message: string): AccessProblem => ({ code: 'KAFKA_TLS', message })
const auth = (message: string): AccessProblem => ({ code: 'KAFKA_AUTH', message })

export const WRONG_PORT =
  'The brokers do not speak TLS at this port: use the port of their TLS listener in kafkaBrokers, or set kafkaTls to false.'
export const WRONG_SCHEME = 'The brokers speak TLS at this port: set kafkaTls to true, and kafkaCaFile where their authority is your own.'

/** By the codes that node:tls gives to a failed handshake, or to what the other side said of ours. */
const TLS_PROBLEMS: readonly (readonly [RegExp, AccessProblem])[] = [
  [
    /^(SELF_SIGNED_CERT|DEPTH_ZERO_|UNABLE_TO_|CERT_UNTRUSTED|CERT_SIGNATURE|CERT_CHAIN|INVALID_CA)/,
    tlsProblem('The certificate of the brokers comes from no authority that is trusted here: set kafkaCaFile to the file of theirs.'),
  ],
  [
    /^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/,
    tlsProblem('The certificate of the brokers has expired or is not valid yet: renew it there, and check the clock of this machine.'),
  ],
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    tlsProblem(
      'The certificate of the brokers is for other names: use one of those in kafkaBrokers, and in advertised.listeners of the brokers.',
    ),
  ],
  [
    /^ERR_SSL_.*ALERT_(BAD_|UNSUPPORTED_|REVOKED_|EXPIRED_)?CERTIFICATE|ALERT_(UNKNOWN_CA|CERTIFICATE_)|ALERT_HANDSHAKE_FAILURE/,
    tlsProblem('The brokers refuse the certificate of this process, or want one: check kafkaCertFile and kafkaKeyFile.'),
  ],
  [/^(EPROTO|ERR_SSL_WRONG_VERSION_NUMBER|ERR_SSL_PACKET_LENGTH_TOO_LONG)$/, tlsProblem(WRONG_PORT)],
]

const BROKER_PROBLEMS: Readonly<Record<string, AccessProblem>> = {
  UNSUPPORTED_SASL_MECHANISM: auth('The brokers do not offer this kafkaSasl at this port: use one that sasl.enabled.mechanisms names.'),
  ILLEGAL_SASL_STATE: auth('The brokers want no login at this port: set kafkaSasl to none, or use the port of their SASL listener.'),
}

/** What a broker says of the topics of a transaction that it would have taken, had another one of them not been refused. */
const NOT_ATTEMPTED: AccessProblem = {
  code: 'KAFKA_ACCESS',
  message:
    'The brokers do not take one topic of the transaction: most often the user of this process may not write it. docs/security.md lists the ACLs that it needs.',
}

const denied = (type: string): AccessProblem => ({
  code: 'KAFKA_ACCESS',
  message: `The brokers do not let the user of this process do this (${type}): docs/security.md lists the ACLs that it needs.`,
})

/** Looks through what the client wraps around the cause. The broker's own words about a login are not repeated. */
export const accessProblem = (error: unknown): AccessProblem | undefined => {
  const type = brokerErrorType(error)
  if (type?.endsWith('_AUTHORIZATION_FAILED') === true) return denied(type)
  if (type === 'OPERATION_NOT_ATTEMPTED') return NOT_ATTEMPTED
  if (type !== undefined && Object.hasOwn(BROKER_PROBLEMS, type)) return BROKER_PROBLEMS[type]
  for (const cause of causesOf(error)) {
    if (cause.name === 'KafkaJSSASLAuthenticationError') return saslProblem(cause.message)
    const { code } = cause as { code?: unknown }
    const known = typeof code === 'string' ? TLS_PROBLEMS.find(([pattern]) => pattern.test(code)) : undefined
    if (known !== undefined) return known[1]
  }
  return undefined
}

const saslProblem = (message: string): AccessProblem => {
  if (message.includes('OAUTHBEARER'))
    return auth(
      'The brokers refuse the access token: check kafkaOauthClientId and kafkaOauthScope, and audience and issuer at the brokers.',
    )
  if (message.includes('mechanism is not supported')) return BROKER_PROBLEMS['UNSUPPORTED_SASL_MECHANISM'] ?? auth('')
  return auth('The brokers refuse the login: check kafkaUser and kafkaPassword, and that kafkaSasl is the kind this user was made for.')
}

/**
 * An error of this folder around what the client threw. What does not pass by itself is told by its own code where `code` only
 * says that nobody was reached, and is added to the words of any other: whoever asked must know that a commit is in doubt.
 */
export const kafkaError = (code: string, message: string, cause?: unknown): PlumblineError => {
  if (cause instanceof PlumblineError) return cause
  const problem = accessProblem(cause)
  if (problem !== undefined && code === 'KAFKA_UNREACHABLE')
    return new PlumblineError(problem.code, `${message} ${problem.message}`, { cause })
  const reason = cause instanceof Error ? ` ${brokerErrorType(cause) ?? cause.name}: ${cause.message}` : ''
  return new PlumblineError(code, `${message}${problem === undefined ? reason : ` ${problem.message}`}`, { retryable: true, cause })
}
