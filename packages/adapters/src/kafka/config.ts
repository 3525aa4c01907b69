import { X509Certificate, createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type SecureContextOptions, createSecureContext, getCACertificates } from 'node:tls'
import { DEFAULT_DETECTION_CONFIG, PlumblineError } from '@plumbline/schemas'
import { z } from 'zod'
import type { KafkaSettings } from './client.ts'
import { createTokenSource } from './oauth.ts'
import { readSecretFile } from './secret-file.ts'

const BROKER = /^(?<host>[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\]):(?<port>[1-9]\d{0,4})$/

const isBroker = (text: string): boolean => Number(BROKER.exec(text)?.groups?.['port'] ?? 65_536) <= 65_535

const isLoopback = (host: string): boolean => host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host)

const SASL = ['none', 'plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'] as const
const file = z.string().min(1)

/** Options of every process that speaks to Kafka. Each service spreads them into its own strict object and adds `checkKafkaConfig`. */
export const KAFKA_FIELDS = {
  kafkaBrokers: z
    .array(z.string().refine(isBroker, { error: 'must be host:port, like kafka-1.internal:9092' }))
    .min(1)
    .meta({
      description: 'Some brokers of the Kafka cluster; the others are learned from them.',
      example: ['kafka-1.internal:9092', 'kafka-2.internal:9092'],
    }),
  kafkaPrefix: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'must be letters, digits, dots, dashes and underscores, at most 100')
    .default('plumbline')
    .meta({ description: 'First part of the names of all topics, groups and transactional ids: one deployment, one prefix.' }),
  kafkaTls: z.boolean().default(false).meta({
    description: 'Speak TLS to the brokers.',
    interacts: 'Without kafkaCaFile the machine’s own certificate authorities are trusted.',
  }),
  kafkaCaFile: file.optional().meta({
    description: 'Certificate authorities that the brokers’ certificates must come from, PEM; no others are trusted then.',
    interacts: 'Only with kafkaTls. The token endpoint may have a certificate of these too.',
    example: '/run/secrets/kafka-ca.pem',
  }),
  kafkaCertFile: file.optional().meta({
    description: 'Certificate (with its chain) that this process shows to the brokers, PEM.',
    interacts: 'Only with kafkaTls, and together with kafkaKeyFile.',
  }),
  kafkaKeyFile: file.optional().meta({
    description: 'Private key of kafkaCertFile, PEM without a password. Not readable by everybody.',
    interacts: 'Only with kafkaTls, and together with kafkaCertFile.',
  }),
  kafkaSasl: z.enum(SASL).default('none').meta({
    description: 'How this process proves to the brokers who it is.',
    interacts: 'Needs kafkaTls, unless all of kafkaBrokers are loopback or kafkaAllowPlaintext says otherwise.',
  }),
  kafkaAllowPlaintext: z.boolean().default(false).meta({
    description: 'Let passwords and tokens travel to brokers elsewhere without TLS, where the network itself is encrypted.',
    interacts: 'Only matters with kafkaSasl and without kafkaTls.',
  }),
  kafkaUser: z.string().min(1).max(256).optional().meta({
    description: 'User at the brokers.',
    interacts: 'With kafkaSasl plain, scram-sha-256 or scram-sha-512.',
    example: 'plumbline-worker',
  }),
  kafkaPassword: z.string().min(1).max(1024).optional().meta({ description: 'Password of kafkaUser.', secret: true }),
  kafkaOauthTokenUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({
      description: 'Token endpoint of the authorization server (OAuth 2.0, client credentials).',
      interacts: 'With kafkaSasl oauthbearer. https, or http on loopback.',
      example: 'https://login.example.com/oauth2/token',
    }),
  kafkaOauthClientId: z.string().min(1).max(256).optional().meta({
    description: 'Client id of this process at the authorization server.',
    interacts: 'With kafkaSasl oauthbearer.',
  }),
  kafkaOauthClientSecret: z.string().min(1).max(4096).optional().meta({ description: 'Secret of kafkaOauthClientId.', secret: true }),
  kafkaOauthScope: z.string().min(1).max(1024).optional().meta({
    description: 'Scope to ask for, several separated by spaces.',
    interacts: 'With kafkaSasl oauthbearer.',
    example: 'kafka',
  }),
  kafkaCompression: z.enum(['none', 'gzip', 'zstd']).default('none').meta({
    description: 'Compression of what is written to Kafka.',
  }),
}
export type KafkaConfig = z.output<z.ZodObject<typeof KAFKA_FIELDS>>

/** The number of shards, for processes that open a deployment. */
export const SHARD_FIELDS = {
  shards: z.number().int().min(1).max(1024).default(DEFAULT_DETECTION_CONFIG.shards).meta({
    description: 'Shards of the deployment = partitions of the events topic. Fixed when it is created; the same for every process.',
  }),
}

type Report = (option: keyof KafkaConfig, message: string) => void

const PASSWORD = ['kafkaUser', 'kafkaPassword'] as const
const OAUTH = ['kafkaOauthTokenUrl', 'kafkaOauthClientId', 'kafkaOauthClientSecret'] as const

/** Options that a kind of SASL needs must be there; those of another kind would be taken for in force while they are not. */
const checkSasl = (config: KafkaConfig, report: Report): void => {
  const { kafkaSasl } = config
  const needed: readonly (keyof KafkaConfig)[] = kafkaSasl === 'none' ? [] : kafkaSasl === 'oauthbearer' ? OAUTH : PASSWORD
  for (const option of needed) if (config[option] === undefined) report(option, `is required with kafkaSasl ${kafkaSasl}`)
  for (const option of [...PASSWORD, ...OAUTH, 'kafkaOauthScope'] as const) {
    const ofOauth = option.startsWith('kafkaOauth')
    if (config[option] === undefined || needed.includes(option) || (ofOauth && kafkaSasl === 'oauthbearer')) continue
    const kinds = ofOauth ? 'oauthbearer' : 'plain, scram-sha-256 or scram-sha-512'
    report(option, `has no effect with kafkaSasl ${kafkaSasl}: set kafkaSasl to ${kinds}, or leave this out`)
  }
  const url = config.kafkaOauthTokenUrl
  if (url !== undefined && URL.canParse(url) && new URL(url).protocol === 'http:' && !isLoopback(new URL(url).hostname))
    report('kafkaOauthTokenUrl', 'must be https: the client secret travels with each request')
  if (url !== undefined && URL.canParse(url) && (new URL(url).username !== '' || new URL(url).password !== ''))
    report('kafkaOauthTokenUrl', 'must not hold a user or password: use kafkaOauthClientId and kafkaOauthClientSecret')
}

const checkTls = (config: KafkaConfig, report: Report): void => {
  const { kafkaTls, kafkaCertFile, kafkaKeyFile, kafkaSasl, kafkaBrokers, kafkaAllowPlaintext } = config
  if (!kafkaTls)
    for (const option of ['kafkaCaFile', 'kafkaCertFile', 'kafkaKeyFile'] as const)
      if (config[option] !== undefined) report(option, 'has no effect without kafkaTls: set kafkaTls to true, or leave this out')
  if (kafkaCertFile !== undefined && kafkaKeyFile === undefined) report('kafkaKeyFile', 'is required with kafkaCertFile')
  if (kafkaKeyFile !== undefined && kafkaCertFile === undefined) report('kafkaCertFile', 'is required with kafkaKeyFile')
  const elsewhere = kafkaBrokers.filter((text) => !isLoopback(BROKER.exec(text)?.groups?.['host'] ?? ''))
  if (kafkaSasl !== 'none' && !kafkaTls && !kafkaAllowPlaintext && elsewhere.length > 0)
    report(
      'kafkaSasl',
      `would send credentials to ${elsewhere.join(', ')} without TLS: set kafkaTls to true, or kafkaAllowPlaintext where the network itself is encrypted`,
    )
}

/** Cross-checks of KAFKA_FIELDS, for `superRefine` of the object they are spread into. */
export const checkKafkaConfig = (config: KafkaConfig, context: z.core.$RefinementCtx): void => {
  const report: Report = (option, message) => context.addIssue({ code: 'custom', path: [option], message })
  checkTls(config, report)
  checkSasl(config, report)
}

const tlsError = (option: string, path: string, problem: string, cause?: unknown): PlumblineError =>
  new PlumblineError('KAFKA_TLS_FILE', `The file of ${option}, ${path}, ${problem}.`, { cause })

const readPem = (option: keyof KafkaConfig, path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const { code = 'error' } = cause as NodeJS.ErrnoException
    throw tlsError(option, path, `cannot be read (${code}). Check that it exists and that this process may read it`, cause)
  }
}

/** Mistakes in files are told here by the option's name, not by a failed handshake later. The cause may quote a private key. */
const tried = <T>(option: keyof KafkaConfig, path: string, what: string, run: () => T): T => {
  try {
    return run()
  } catch {
    throw tlsError(option, path, `cannot be used. Expected ${what}`)
  }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*(?:-----END CERTIFICATE-----)?/g

const readCertificates = (option: keyof KafkaConfig, path: string): string => {
  const pem = readPem(option, path)
  const certificates = pem.match(CERTIFICATE) ?? []
  if (certificates.length === 0) throw tlsError(option, path, 'holds no PEM certificate')
  tried(option, path, 'PEM certificates', () => certificates.map((one) => new X509Certificate(one)))
  return pem
}

const tlsOf = ({ kafkaCaFile, kafkaCertFile, kafkaKeyFile }: KafkaConfig): SecureContextOptions => {
  const ca = kafkaCaFile === undefined ? {} : { ca: readCertificates('kafkaCaFile', kafkaCaFile) }
  if (kafkaCertFile === undefined || kafkaKeyFile === undefined) return ca
  const cert = readCertificates('kafkaCertFile', kafkaCertFile)
  const key = readSecretFile(kafkaKeyFile, (problem) => tlsError('kafkaKeyFile', kafkaKeyFile, problem))
  tried('kafkaKeyFile', kafkaKeyFile, 'a PEM private key without a password', () => createPrivateKey(key))
  tried('kafkaKeyFile', kafkaKeyFile, 'the private key that belongs to kafkaCertFile', () => createSecureContext({ cert, key }))
  return { ...ca, cert, key }
}

const saslOf = (config: KafkaConfig, ca: SecureContextOptions['ca']): Pick<KafkaSettings, 'sasl'> => {
  const { kafkaSasl, kafkaUser = '', kafkaPassword = '', kafkaOauthTokenUrl = '', kafkaOauthScope } = config
  if (kafkaSasl === 'none') return {}
  if (kafkaSasl !== 'oauthbearer') return { sasl: { mechanism: kafkaSasl, username: kafkaUser, password: kafkaPassword } }
  const token = createTokenSource({
    url: kafkaOauthTokenUrl,
    clientId: config.kafkaOauthClientId ?? '',
    clientSecret: config.kafkaOauthClientSecret ?? '',
    ...(kafkaOauthScope === undefined ? {} : { scope: kafkaOauthScope }),
    // An authorization server is often outside: its certificate may come from the usual authorities as well.
    ...(ca === undefined ? {} : { ca: [...getCACertificates('default'), String(ca)] }),
  })
  return { sasl: { mechanism: 'oauthbearer', token } }
}

/**
 * How to reach the brokers, from checked options. Reads the files that they name.
 * Errors: KAFKA_TLS_FILE with the option, the file and the remedy.
 */
export const kafkaSettingsOf = (config: KafkaConfig, { clientId }: { readonly clientId: string }): KafkaSettings => {
  const tls = config.kafkaTls ? tlsOf(config) : undefined
  return {
    brokers: config.kafkaBrokers,
    clientId,
    ...(tls === undefined ? {} : { ssl: tls }),
    ...saslOf(config, tls?.ca),
  }
}
