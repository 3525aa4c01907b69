import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PlumblineError } from '@plumbline/schemas'
import { z } from 'zod'

const NAME = 'manifest.json'
const count = z.number().int().min(0)
const FileMark = z.strictObject({ frames: count, bytes: count, sha256: z.string().regex(/^[0-9a-f]{64}$/) })

/** What a folder with a backup holds. It is written last: a folder without it is no backup. */
export const Manifest = z.strictObject({
  v: z.literal(1),
  takenAtMs: count,
  prefix: z.string(),
  id: z.string(),
  keyCheck: z.string(),
  shards: z.number().int().min(1),
  lanes: z.number().int().min(1),
  /** Per shard: position that its state stands for, which is where the events of the backup begin. */
  starts: z.array(count),
  /** Up to which outputs are stored; between the two, events are computed once more with outputs muted. */
  positions: z.array(count),
  /** Versions of the detector that made the states; null: not known. */
  detectors: z.array(z.string().nullable()).optional(),
  /** After the last event of the backup. */
  ends: z.array(count),
  /** What was added to offsets to get positions and sequences. */
  bases: z.strictObject({ events: z.array(count), outbox: count }),
  /** A sequence that no entry of the outbox had reached. */
  outboxEnd: count,
  /** By name of the file. */
  files: z.record(z.string(), FileMark),
})
export type Manifest = z.output<typeof Manifest>

export const FILES = {
  values: 'values',
  keys: 'ingest-keys',
  state: (shard: number): string => `state-${shard}`,
  events: (shard: number): string => `events-${shard}`,
  outbox: (kind: string, lane: number): string => `outbox-${kind}-${lane}`,
}

/** A new folder, or an empty one. Error: BACKUP_EXISTS. */
export const makeFolder = (dir: string): void => {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  if (readdirSync(dir).length > 0)
    throw new PlumblineError('BACKUP_EXISTS', `${dir} is not empty; a backup is never written over something. Name another folder.`)
}

export const writeManifest = (dir: string, manifest: Manifest): void => {
  const path = join(dir, NAME)
  writeFileSync(`${path}.part`, `${JSON.stringify(Manifest.parse(manifest), null, 2)}\n`, { mode: 0o600, flush: true })
  renameSync(`${path}.part`, path)
}

/** Errors: BACKUP_MISSING, BACKUP_UNREADABLE. */
export const readManifest = (dir: string): Manifest => {
  const path = join(dir, NAME)
  if (!existsSync(path))
    throw new PlumblineError('BACKUP_MISSING', `${dir} holds no backup, or one that was never finished: there is no ${NAME}.`)
  const read = Manifest.safeParse(JSON.parse(readFileSync(path, 'utf8')))
  if (!read.success)
    throw new PlumblineError('BACKUP_UNREADABLE', `${path} is not one this build understands. Use the Plumbline that wrote it.`, {
      cause: read.error,
    })
  return read.data
}
