import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { PlumblineError } from '@plumbline/schemas'
import { write } from './output.ts'

/** A file being written (`.gz` is compressed) or stdout for `-`. */
export interface Sink {
  write(chunk: string | Uint8Array): Promise<void>
  /** Resolves when everything is in the file. */
  end(): Promise<void>
}

const cannotWrite = (path: string, cause: unknown): PlumblineError =>
  new PlumblineError('FILE_NOT_WRITABLE', `${path} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })

export const openSink = (path: string): Sink => {
  if (path === '-') return { write: (chunk) => write(process.stdout, chunk), end: () => Promise.resolve() }
  const file = createWriteStream(path)
  const done = finished(file).catch((error: unknown) => {
    throw cannotWrite(path, error)
  })
  // Looked at by end(); until then it must not count as unhandled.
  done.catch(() => {})
  const top = path.endsWith('.gz') ? createGzip({ level: 6 }) : file
  if (top !== file) top.pipe(file)
  return {
    write: (chunk) => Promise.race([write(top, chunk).catch((error: unknown) => Promise.reject(cannotWrite(path, error))), done]),
    end: async () => {
      top.end()
      await done
    },
  }
}
