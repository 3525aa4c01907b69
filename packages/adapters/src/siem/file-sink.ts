import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Alert, PlumblineError } from '@plumbline/schemas'
import { type ProductInfo, toOcsf } from './ocsf.ts'
import type { AlertSink } from './sink.ts'

export interface FileSinkOptions {
  readonly path: string
  readonly product: ProductInfo
  /** Size at which the file is moved to `path.1` and a new one begun. Unit: bytes. Default 64 MiB. */
  readonly maxBytes?: number
  /** Older files kept (`path.1` the newest). Default 5. */
  readonly keep?: number
  /** `always`: on disk before a batch counts as delivered. `never`: left to the system. Default `always`. */
  readonly fsync?: 'always' | 'never'
}

/**
 * Appends OCSF findings, one JSON object a line. A line torn by a crash is closed off at the next start,
 * so that the lines after it stay whole. Errors: ALERT_FILE_WRITE (retryable).
 */
export const createFileSink = (options: FileSinkOptions): AlertSink => {
  const { path, product, maxBytes = 64 * 1024 * 1024, keep = 5, fsync = 'always' } = options
  let file: FileHandle | undefined
  let size = 0

  const openFile = async (): Promise<FileHandle> => {
    await mkdir(dirname(path), { recursive: true })
    const handle = await open(path, 'a+', 0o600)
    size = (await handle.stat()).size
    if (size > 0) {
      const last = Buffer.alloc(1)
      await handle.read(last, 0, 1, size - 1)
      if (last[0] !== 0x0a) size += (await handle.write('\n')).bytesWritten
    }
    return handle
  }

  const closeFile = async (): Promise<void> => {
    const handle = file
    file = undefined
    await handle?.close()
  }

  const rotate = async (): Promise<void> => {
    await closeFile()
    await rm(`${path}.${keep}`, { force: true })
    for (let n = keep - 1; n >= 0; n--) {
      const from = n === 0 ? path : `${path}.${n}`
      if (await exists(from)) await (keep === 0 ? rm(from) : rename(from, `${path}.${n + 1}`))
    }
  }

  return {
    name: 'file',
    async deliver(alerts: readonly Alert[]) {
      const lines = Buffer.from(alerts.map((a) => `${JSON.stringify(toOcsf(a, product))}\n`).join(''))
      try {
        if (file !== undefined && size > 0 && size + lines.length > maxBytes) await rotate()
        file ??= await openFile()
        let at = 0
        while (at < lines.length) at += (await file.write(lines, at)).bytesWritten
        size += lines.length
        if (fsync === 'always') await file.datasync()
      } catch (cause) {
        await closeFile().catch(() => undefined)
        throw new PlumblineError(
          'ALERT_FILE_WRITE',
          `Alerts cannot be written to ${path}: ${cause instanceof Error ? cause.message : 'unknown error'}`,
          { retryable: true, cause },
        )
      }
    },
    close: closeFile,
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
