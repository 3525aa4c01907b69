import { hostname } from 'node:os'
import type { ConnectionOptions } from 'node:tls'
import { promisify } from 'node:util'
import { constants, zstdCompress, zstdCompressSync, zstdDecompress, zstdDecompressSync } from 'node:zlib'
import { PlumblineError } from '@plumbline/schemas'
import kafkajs, { type CompressionTypes, type ISocketFactory, type Kafka, type SASLOptions } from 'kafkajs'
import { encodeProduce } from './produce.ts'

export { brokerErrorType, isFenced, kafkaError } from './errors.ts'

const { CompressionCodecs, CompressionTypes: Codec, RequestEncoders, logLevel } = kafkajs

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
/**
 * Node puts results together from pieces of 16 KiB unless it is told otherwise, which costs several times the work itself; and
 * small batches are done sooner here than they are handed to another thread.
 */
const PIECE = { least: 64 * 1024, most: 4 * 1024 * 1024, handedOver: 256 * 1024 }
const pieceOf = (bytes: number): number => Math.min(PIECE.most, Math.max(PIECE.least, bytes))
const zstd = {
  async compress({ buffer }: { buffer: Buffer }): Promise<Buffer> {
    const options = { params: { [constants.ZSTD_c_compressionLevel]: 1 }, chunkSize: pieceOf(buffer.length) }
    return buffer.length > PIECE.handedOver ? promisify(zstdCompress)(buffer, options) : zstdCompressSync(buffer, options)
  },
  async decompress(bytes: Buffer): Promise<Buffer> {
    const options = { chunkSize: pieceOf(4 * bytes.length) }
    return bytes.length > PIECE.handedOver ? promisify(zstdDecompress)(bytes, options) : zstdDecompressSync(bytes, options)
  },
}
// kafkajs keeps its codecs in one table per process; zstd is not in it, and Node brings it.
CompressionCodecs[Codec.ZSTD] = () => zstd
RequestEncoders.produce = encodeProduce

export const compressionType = (compression: KafkaCompression): CompressionTypes =>
  ({ none: Codec.None, gzip: Codec.GZIP, zstd: Codec.ZSTD })[compression]

const saslOf = (sasl: NonNullable<KafkaSettings['sasl']>): SASLOptions => {
  if (sasl.mechanism !== 'oauthbearer') return { ...sasl } as SASLOptions
  // The client drops a connection that is half logged in, and tries again, only after what it takes for a failure to connect.
  const failed = (error: unknown): never => {
    if (!(error instanceof PlumblineError) || !error.retryable) throw error
    throw Object.assign(new kafkajs.KafkaJSConnectionError(error.message), { cause: error })
  }
  return { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: await sasl.token().catch(failed) }) }
}

/** Names a process among others of its kind at the brokers, and so in `plumbline lag`: by its machine (or pod) and its process. */
export const clientIdOf = (kind: string): string => `plumbline-${kind}.${hostname().replace(/[^A-Za-z0-9._-]/g, '_')}.${process.pid}`

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
