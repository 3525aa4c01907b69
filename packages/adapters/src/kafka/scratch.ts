import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RootDatabase, open } from 'lmdb'

/** A table on disk that only this process knows: what it holds is rebuilt from Kafka, and memory is the system's page cache. */
export interface Scratch {
  readonly env: RootDatabase<Buffer, Buffer>
  close(): Promise<void>
}

export const openScratch = (name: string, parent: string = tmpdir()): Scratch => {
  const dir = mkdtempSync(join(parent, `plumbline-${name}-`))
  const env = open<Buffer, Buffer>({
    path: join(dir, `${name}.mdb`),
    noSubdir: true,
    encoding: 'binary',
    keyEncoding: 'binary',
    noSync: true,
    overlappingSync: false,
    eventTurnBatching: false,
  })
  const removeFiles = (): void => rmSync(dir, { recursive: true, force: true })
  // Without a name the file is gone with the process, however that ends. Windows does not allow it.
  if (process.platform !== 'win32') removeFiles()
  return {
    env,
    async close() {
      await env.close()
      removeFiles()
    },
  }
}
