import type { ConnectionOptions } from 'node:tls'
import { promisify } from 'node:util'
import { constants, zstdCompress, zstdDecompress } from 'node:zlib'
import { PlumblineError } from '@plumbline/schemas'
import kafkajs, { type CompressionTypes, type ISocketFactory, type Kafka, type SASLOptions } from 'kafkajs'

const { CompressionCodecs, CompressionTypes: Codec, logLevel } = kafkajs

/** How to reach the brokers. kafkajs itself stays inside this folder (docs/adr/0016). */
export interface KafkaSettings {
  /** host:port of some brokers; the others are learned from them. */
  readonly brokers: readonly string[]
  /** Name of this process in the brokers' logs and quotas. Default "plumbline". */
  readonly clientId?: string
  /** TLS: true for the machine's certificate authorities, or options of node:tls. Default: no TLS. */
  readonly ssl?: boolean | ConnectionOptions
  readonly sasl?:
    | {
        readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
        readonly username: string
        readonly password: string
      }
    | {
        readonly mechanism: 'oauthbearer'
        /** Asked for each connection, and again before a broker's session ends: it keeps tokens by itself. */
        readonly token: () => Promise<string>
      }
  /** Another way to connect, like through a proxy. Default: node:net and node:tls. */
  readonly socketFactory?: ISocketFactory
  /** What the client has to say: warnings and errors. Without it, it says nothing; failures come back as errors anyway. */
  readonly onLog?: (entry: { readonly level: 'error' | 'warn'; readonly message: string; readonly [field: string]: unknown }) => void
}

/** Compression of what is written; what is read may be any of these. */
export type KafkaCompression = 'none' | 'gzip' | 'zstd'

/**
 * The client waits this long before it tries again after "the last transaction is still being completed", which is the normal
 * answer when transactions follow each other closely: its default of 300 ms made each of them wait that long.
 */
const INITIAL_RETRY_MS = 10
export const RETRY = { initialRetryTime: INITIAL_RETRY_MS, multiplier: 2, factor: 0.2, maxRetryTime: 1_000, retries: 8 }
const zstd = {
  compress: async (encoder: { buffer: Buffer }) =>
    promisify(zstdCompress)(encoder.buffer, { params: { [constants.ZSTD_c_compressionLevel]: 1 } }),
  decompress: async (bytes: Buffer) => promisify(zstdDecompress)(bytes),
}
// kafkajs keeps its codecs in one table per process; zstd is not in it, and Node brings it.
CompressionCodecs[Codec.ZSTD] = () => zstd

export const compressionType = (compression: KafkaCompression): CompressionTypes =>
  ({ none: Codec.None, gzip: Codec.GZIP, zstd: Codec.ZSTD })[compression]

const saslOf = (sasl: NonNullable<KafkaSettings['sasl']>): SASLOptions =>
  sasl.mechanism === 'oauthbearer'
    ? { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: await sasl.token() }) }
    : ({ ...sasl } as SASLOptions)

export const createKafka = ({ brokers, clientId = 'plumbline', ssl, sasl, socketFactory, onLog }: KafkaSettings): Kafka =>
  new kafkajs.Kafka({
    brokers: [...brokers],
    clientId,
    connectionTimeout: 5_000,
    requestTimeout: 10_000,
    retry: RETRY,
    ...(ssl === undefined ? {} : { ssl }),
    ...(socketFactory === undefined ? {} : { socketFactory }),
    ...(sasl === undefined ? {} : { sasl: saslOf(sasl) }),
    logLevel: onLog === undefined ? logLevel.NOTHING : logLevel.WARN,
    logCreator:
      () =>
      ({ level, log }) =>
        onLog?.({ ...log, level: level === logLevel.ERROR ? 'error' : 'warn' }),
  })

/** The broker's own word for an error (`NOT_COORDINATOR`, …), looked up through what kafkajs wraps around it. */
export const brokerErrorType = (error: unknown): string | undefined => {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    const { type } = at as { type?: unknown }
    if (typeof type === 'string' && type !== '') return type
  }
  return undefined
}

/** Another producer has this transactional id now, or the broker ended a transaction that took too long. */
export const isFenced = (error: unknown): boolean => brokerErrorType(error) === 'INVALID_PRODUCER_EPOCH'

export const kafkaError = (code: string, message: string, cause?: unknown): PlumblineError => {
  if (cause instanceof PlumblineError) return cause
  const reason = cause instanceof Error ? ` ${brokerErrorType(cause) ?? cause.name}: ${cause.message}` : ''
  return new PlumblineError(code, `${message}${reason}`, { retryable: true, cause })
}
