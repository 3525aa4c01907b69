import { createHash } from 'node:crypto'
import { createReadStream, mkdtempSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { type FileFormat, readEvents } from '@plumbline/adapters/files'
import { namingFile } from '../inputs.ts'

/** One file of a history after it was read once. */
interface SpooledFile {
  readonly path: string
  /** Hash over tenant, format, name, size and content: the same file is known again. */
  readonly id: string
  readonly events: number
}

export interface SpooledEvent {
  /** Index into `files`. */
  readonly file: number
  readonly time: number
  readonly bytes: Uint8Array
}

/** Events of many files in event-time order, on disk where they do not fit into memory. */
export interface Spool {
  readonly files: readonly SpooledFile[]
  readonly events: number
  readonly rejected: number
  /** Rejections by code. */
  readonly codes: Readonly<Record<string, number>>
  readonly tenants: ReadonlySet<string>
  /** ms since epoch; 0 without events. */
  readonly fromTime: number
  readonly toTime: number
  /** By time, then file, then line: each file's own events keep one order, whatever files are beside it. */
  read(): AsyncGenerator<SpooledEvent>
  close(): void
}

export interface SpoolOptions {
  readonly format: FileFormat | undefined
  readonly tenant: string
  readonly onEvent?: (done: number) => void
  /** Bytes of events sorted in memory at once; the rest waits in temporary files. Default 64 MiB. */
  readonly runBytes?: number
  readonly signal?: AbortSignal
}

interface Entry extends SpooledEvent {
  readonly line: number
}

const RUN_BYTES = 64 * 1024 * 1024
/** time f64, file u32, line u32, length u32. */
const HEAD = 20
const WRITE_BYTES = 1024 * 1024

const before = (a: Entry, b: Entry): number => a.time - b.time || a.file - b.file || a.line - b.line

/** A file's bytes as they are, counted and hashed on their way. */
async function* hashed(path: string, seen: { hash: ReturnType<typeof createHash>; bytes: number }): AsyncGenerator<Uint8Array> {
  const source = path === '-' ? process.stdin : createReadStream(path, { highWaterMark: 256 * 1024 })
  for await (const chunk of source as AsyncIterable<Uint8Array>) {
    seen.hash.update(chunk)
    seen.bytes += chunk.length
    yield chunk
  }
}

const writeRun = async (path: string, entries: readonly Entry[]): Promise<void> => {
  const file = await open(path, 'wx', 0o600)
  try {
    let parts: Buffer[] = []
    let size = 0
    for (const { time, file: index, line, bytes } of entries) {
      const head = Buffer.allocUnsafe(HEAD)
      head.writeDoubleLE(time, 0)
      head.writeUInt32LE(index, 8)
      head.writeUInt32LE(line, 12)
      head.writeUInt32LE(bytes.length, 16)
      parts.push(head, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
      size += HEAD + bytes.length
      if (size < WRITE_BYTES) continue
      await file.write(Buffer.concat(parts))
      parts = []
      size = 0
    }
    await file.write(Buffer.concat(parts))
  } finally {
    await file.close()
  }
}

async function* readRun(path: string): AsyncGenerator<Entry> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = 0
    while (rest.length - at >= HEAD) {
      const end = at + HEAD + rest.readUInt32LE(at + 16)
      if (rest.length < end) break
      yield {
        time: rest.readDoubleLE(at),
        file: rest.readUInt32LE(at + 8),
        line: rest.readUInt32LE(at + 12),
        bytes: rest.subarray(at + HEAD, end),
      }
      at = end
    }
    rest = rest.subarray(at)
  }
}

async function* merge(runs: readonly AsyncGenerator<Entry>[]): AsyncGenerator<Entry> {
  const heads: { entry: Entry; run: AsyncGenerator<Entry> }[] = []
  const put = (entry: Entry, run: AsyncGenerator<Entry>): void => {
    // Few runs, and mostly the same one goes on: looking from the front is the shortest way.
    const at = heads.findIndex((head) => before(entry, head.entry) < 0)
    heads.splice(at < 0 ? heads.length : at, 0, { entry, run })
  }
  const pull = async (run: AsyncGenerator<Entry>): Promise<void> => {
    const next = await run.next()
    if (next.done !== true) put(next.value, run)
  }
  for (const run of runs) await pull(run)
  for (let head = heads.shift(); head !== undefined; head = heads.shift()) {
    yield head.entry
    await pull(head.run)
  }
}

/** Reads files once: decoded, hashed and sorted by event time. Throws for a file that cannot be read at all. */
export const spool = async (paths: readonly string[], options: SpoolOptions): Promise<Spool> => {
  const { format, tenant, onEvent = () => {}, runBytes = RUN_BYTES, signal } = options
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-history-'))
  const close = (): void => rmSync(dir, { recursive: true, force: true })
  const files: SpooledFile[] = []
  const codes: Record<string, number> = {}
  const tenants = new Set<string>()
  const copies = new Map<string, number>()
  const runs: string[] = []
  let entries: Entry[] = []
  let size = 0
  let [events, rejected, fromTime, toTime] = [0, 0, Number.POSITIVE_INFINITY, 0]

  const spill = async (): Promise<void> => {
    const path = join(dir, String(runs.length))
    await writeRun(path, entries.sort(before))
    runs.push(path)
    entries = []
    size = 0
  }
  const readFile = async (path: string): Promise<void> => {
    const seen = { hash: createHash('sha256'), bytes: 0 }
    let own = 0
    for await (const record of readEvents(hashed(path, seen), { format, tenant })) {
      signal?.throwIfAborted()
      if (!record.ok) {
        rejected++
        codes[record.rejection.code] = (codes[record.rejection.code] ?? 0) + 1
        continue
      }
      const { event, canonical } = record
      own++
      onEvent(++events)
      tenants.add(event.tenant)
      fromTime = Math.min(fromTime, event.time)
      toTime = Math.max(toTime, event.time)
      entries.push({ file: files.length, line: record.line, time: event.time, bytes: canonical })
      size += canonical.length + HEAD
      if (size >= runBytes) await spill()
    }
    const named = JSON.stringify([tenant, format ?? '', basename(path), seen.bytes, seen.hash.digest('hex')])
    // The same file given twice is two files, or the places of one would be those of the other.
    const times = (copies.get(named) ?? 0) + 1
    copies.set(named, times)
    files.push({ path, id: createHash('sha256').update(`${named}${times}`).digest('hex').slice(0, 40), events: own })
  }

  try {
    for (const path of paths) await readFile(path).catch((error: unknown) => Promise.reject(namingFile(path, error)))
  } catch (error) {
    close()
    throw error
  }
  entries.sort(before)
  async function* inMemory(): AsyncGenerator<Entry> {
    yield* entries
  }
  return {
    files,
    events,
    rejected,
    codes,
    tenants,
    fromTime: events === 0 ? 0 : fromTime,
    toTime,
    read: () => merge([...runs.map(readRun), inMemory()]),
    close,
  }
}
