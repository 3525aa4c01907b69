import { createHash } from 'node:crypto'
import { closeSync, createReadStream, fsyncSync, openSync, writeSync } from 'node:fs'
import { PlumblineError } from '@plumbline/schemas'

/** One entry of a file of a backup: a head, and bytes or nothing. On disk: both lengths (u32, all ones for nothing), then both. */
export interface Frame {
  readonly head: Uint8Array
  readonly body: Uint8Array | null
}

const LENGTHS = 8
const NOTHING = 0xffffffff
const FLUSH_BYTES = 1024 * 1024

/** What a file is, for whoever reads it again. */
export interface FileMark {
  readonly frames: number
  readonly bytes: number
  readonly sha256: string
}

export interface FrameWriter {
  write(head: Uint8Array, body: Uint8Array | null): void
  /** Resolves nothing before it is on disk. */
  end(): FileMark
}

/** Writes synchronously: what is read ahead of it must not pile up, and nothing else happens in the process. */
export const writeFrames = (path: string): FrameWriter => {
  const file = openSync(path, 'wx', 0o600)
  const hash = createHash('sha256')
  let waiting: Uint8Array[] = []
  const totals = { frames: 0, bytes: 0, waiting: 0 }
  const flush = (): void => {
    const all = Buffer.concat(waiting)
    hash.update(all)
    for (let at = 0; at < all.length; ) at += writeSync(file, all, at)
    waiting = []
    totals.waiting = 0
  }
  return {
    write(head, body) {
      const lengths = Buffer.alloc(LENGTHS)
      lengths.writeUInt32LE(head.length, 0)
      lengths.writeUInt32LE(body === null ? NOTHING : body.length, 4)
      const size = LENGTHS + head.length + (body?.length ?? 0)
      // Copied: head and body are pieces of a fetch.
      waiting.push(lengths, Buffer.from(head), ...(body === null ? [] : [Buffer.from(body)]))
      totals.frames++
      totals.bytes += size
      totals.waiting += size
      if (totals.waiting >= FLUSH_BYTES) flush()
    },
    end() {
      flush()
      fsyncSync(file)
      closeSync(file)
      return { frames: totals.frames, bytes: totals.bytes, sha256: hash.digest('hex') }
    },
  }
}

const damaged = (path: string): PlumblineError =>
  new PlumblineError('BACKUP_DAMAGED', `${path} is not what was written when the backup was taken. Use another copy of it.`)

/** Frames of a file in order, checked against its mark: what was changed is refused at its end at the latest. */
export async function* readFrames(path: string, mark: FileMark): AsyncGenerator<Frame, void, undefined> {
  const hash = createHash('sha256')
  let rest: Buffer = Buffer.alloc(0)
  let frames = 0
  for await (const chunk of createReadStream(path, { highWaterMark: FLUSH_BYTES }) as AsyncIterable<Buffer>) {
    hash.update(chunk)
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = 0
    while (rest.length - at >= LENGTHS) {
      const [head, body] = [rest.readUInt32LE(at), rest.readUInt32LE(at + 4)]
      const end = at + LENGTHS + head + (body === NOTHING ? 0 : body)
      if (end > rest.length) break
      const bodyAt = at + LENGTHS + head
      yield { head: rest.subarray(at + LENGTHS, bodyAt), body: body === NOTHING ? null : rest.subarray(bodyAt, end) }
      frames++
      at = end
    }
    rest = rest.subarray(at)
  }
  if (rest.length > 0 || frames !== mark.frames || hash.digest('hex') !== mark.sha256) throw damaged(path)
}

/** Reads a file only to know that it is whole. */
export const checkFrames = async (path: string, mark: FileMark): Promise<void> => {
  for await (const _ of readFrames(path, mark));
}
