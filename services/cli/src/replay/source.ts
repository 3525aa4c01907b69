import { type FileFormat, readEvents } from '@plumbline/adapters/files'
import type { Event } from '@plumbline/schemas'
import { spool } from '../backfill/spool.ts'
import { namingFile } from '../inputs.ts'
import type { Progress } from '../progress.ts'

/** One event on its way into an instance. */
export interface ReplayedEvent {
  readonly tenant: string
  readonly identity: string
  readonly time: number
  /** Its canonical form. */
  readonly bytes: Uint8Array
}

export interface SourceOptions {
  readonly files: readonly string[]
  readonly format: FileFormat | undefined
  readonly tenant: string
  readonly progress: Progress
  readonly signal?: AbortSignal | undefined
}

export interface Source {
  read(): AsyncGenerator<ReplayedEvent>
  /** Events there are; 0 where that is not known before the end. */
  readonly total: number
  /** Refused so far, by code. */
  readonly codes: Readonly<Record<string, number>>
  close(): void
}

/** Standard input may never end, so it cannot be waited for: with it, events keep the order they come in. */
const isStream = (files: readonly string[]): boolean => files.includes('-')

/** Events of files by event time, as `backfill` reads them: files are given in any order, and overlap. */
export const openSource = async (options: SourceOptions): Promise<Source> => {
  if (isStream(options.files)) return asTheyCome(options)
  const { files, format, tenant, progress, signal } = options
  progress.phase('reading')
  const history = await spool(files, {
    format,
    tenant,
    onEvent: (done) => progress.at(done, 0),
    ...(signal === undefined ? {} : { signal }),
  })
  progress.phase('replaying')
  return {
    async *read() {
      for await (const { time, bytes } of history.read()) yield { ...nameOf(bytes), time, bytes }
    },
    total: history.events,
    codes: history.codes,
    close: () => history.close(),
  }
}

/** From our own canonical form, which needs no check. */
const nameOf = (bytes: Uint8Array): Pick<ReplayedEvent, 'tenant' | 'identity'> => {
  const { tenant, identity } = JSON.parse(Buffer.from(bytes).toString()) as Event
  return { tenant, identity: identity.id }
}

const asTheyCome = ({ files, format, tenant }: SourceOptions): Source => {
  const codes: Record<string, number> = {}
  async function* read(file: string): AsyncGenerator<ReplayedEvent> {
    for await (const record of readEvents(file, { format, tenant })) {
      if (record.ok)
        yield { tenant: record.event.tenant, identity: record.event.identity.id, time: record.event.time, bytes: record.canonical }
      else codes[record.rejection.code] = (codes[record.rejection.code] ?? 0) + 1
    }
  }
  return {
    async *read() {
      for (const file of files) {
        try {
          yield* read(file)
        } catch (error) {
          throw namingFile(file, error)
        }
      }
    },
    total: 0,
    codes,
    close: () => {},
  }
}
