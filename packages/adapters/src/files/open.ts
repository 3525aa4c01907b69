import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { PlumblineError } from '@plumbline/schemas'

export interface OpenOptions {
  /** A gzip file may unpack to this many times its size once it is past `bombGraceBytes`. Real logs stay under 60. */
  readonly maxRatio?: number
  readonly bombGraceBytes?: number
}

const MAX_RATIO = 250
const GRACE_BYTES = 64 * 1024 * 1024

/**
 * Bytes of a file (`-`: standard input) or stream, unpacked when they start like gzip, without a byte order mark.
 * Throws PlumblineError FILE_UNREADABLE, FILE_CORRUPT (broken or cut-off gzip) or FILE_BOMB (unpacks to far too much).
 */
export async function* openBytes(source: string | AsyncIterable<Uint8Array>, options: OpenOptions = {}): AsyncGenerator<Uint8Array> {
  const raw = typeof source !== 'string' ? source : source === '-' ? process.stdin : createReadStream(source, { highWaterMark: 256 * 1024 })
  const name = typeof source === 'string' ? source : 'stream'
  try {
    yield* withoutMark(unpack(raw, options, name))
  } catch (error) {
    if (error instanceof PlumblineError) throw error
    const code = (error as { code?: unknown }).code
    const corrupt = typeof code === 'string' && (code.startsWith('Z_') || code === 'ERR_BUFFER_TOO_LARGE')
    throw new PlumblineError(
      corrupt ? 'FILE_CORRUPT' : 'FILE_UNREADABLE',
      `${name}: ${error instanceof Error ? error.message : String(error)}`,
      {
        cause: error,
      },
    )
  }
}

async function* unpack(raw: AsyncIterable<Uint8Array>, options: OpenOptions, name: string): AsyncGenerator<Uint8Array> {
  const iterator = raw[Symbol.asyncIterator]()
  let head: Uint8Array = new Uint8Array(0)
  let done = false
  while (head.length < 2 && !done) {
    const next = await iterator.next()
    done = next.done === true
    if (!done) head = Buffer.concat([head, next.value as Uint8Array])
  }
  let bytesIn = 0
  const rest = async function* (): AsyncGenerator<Uint8Array> {
    try {
      bytesIn += head.length
      if (head.length > 0) yield head
      while (!done) {
        const next = await iterator.next()
        if (next.done === true) return
        bytesIn += next.value.length
        yield next.value
      }
    } finally {
      await iterator.return?.()
    }
  }
  if (head[0] !== 0x1f || head[1] !== 0x8b) {
    yield* rest()
    return
  }
  const gunzip = createGunzip({ chunkSize: 256 * 1024 })
  const packed = Readable.from(rest())
  packed.on('error', (error) => gunzip.destroy(error))
  packed.pipe(gunzip)
  let bytesOut = 0
  try {
    for await (const chunk of gunzip as AsyncIterable<Uint8Array>) {
      bytesOut += chunk.length
      if (bytesOut > (options.bombGraceBytes ?? GRACE_BYTES) && bytesOut > bytesIn * (options.maxRatio ?? MAX_RATIO)) {
        throw new PlumblineError(
          'FILE_BOMB',
          `${name} unpacks to more than ${options.maxRatio ?? MAX_RATIO} times its size; it is not read further`,
        )
      }
      yield chunk
    }
  } finally {
    packed.destroy()
    gunzip.destroy()
  }
}

async function* withoutMark(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let head: Uint8Array | undefined = new Uint8Array(0)
  for await (const chunk of chunks) {
    if (head === undefined) {
      yield chunk
      continue
    }
    head = head.length === 0 ? chunk : Buffer.concat([head, chunk])
    if (head.length < 3) continue
    yield unmarked(head)
    head = undefined
  }
  if (head !== undefined && head.length > 0) yield head
}

const unmarked = (head: Uint8Array): Uint8Array => (head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? head.subarray(3) : head)
