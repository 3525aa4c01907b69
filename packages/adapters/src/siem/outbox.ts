import { alertIn, OutboxTrimmed } from '@plumbline/schemas'
import type { AlertSource, CursorStore } from './forwarder.ts'

/** The part of an outbox the forwarder needs; the embedded log's fits. */
export interface AlertOutbox {
  read(topic: 'alerts', after: number, maxBytes: number): Promise<readonly { readonly sequence: number; readonly payload: Uint8Array }[]>
  /** Furthest sequence up to which nothing more comes after `after`: what lies between holds no alerts. */
  passed(topic: 'alerts', after: number): number
  register(consumer: string, topics: readonly 'alerts'[]): Promise<void>
  advance(consumer: string, topic: 'alerts', sequence: number): Promise<void>
}

export interface NamedValues {
  get(name: string): Uint8Array | undefined
  put(values: Readonly<Record<string, Uint8Array | null>>): Promise<void>
}

const BYTES_PER_ALERT = 8 * 1024

/**
 * Source and cursor store of a forwarder over an outbox. Each sink is a known consumer of it, so entries stay until all
 * have passed them. Where retention removed some all the same, it goes on behind them and tells `onGap` how many there were at
 * most: nobody can deliver them any more. The saved state goes first: a crash between the two reads some entries again, which changes nothing.
 */
export const outboxPorts = (
  outbox: AlertOutbox,
  values: NamedValues,
  onGap: (entries: number, gap: OutboxTrimmed) => void = () => {},
): { readonly source: AlertSource; readonly store: CursorStore } => {
  /** The last gap that was told of: every receiver meets it, perhaps from further back. */
  let told = { firstLost: 0, firstThere: 0 }
  const tell = (gap: OutboxTrimmed): void => {
    if (gap.firstThere === told.firstThere && gap.firstLost >= told.firstLost) return
    told = gap
    onGap(gap.firstThere - gap.firstLost, gap)
  }
  return {
    source: {
      async read(cursor, max) {
        const entries = await outbox.read('alerts', cursor, max * BYTES_PER_ALERT).catch((error: unknown) => {
          if (!(error instanceof OutboxTrimmed)) throw error
          // Who has never read anything has lost nothing: it begins with what is still there.
          if (cursor > 0) tell(error)
          return outbox.read('alerts', error.firstThere - 1, max * BYTES_PER_ALERT)
        })
        return entries.map((e) => ({ cursor: e.sequence, alert: alertIn(e.payload) }))
      },
      passed: (cursor) => outbox.passed('alerts', cursor),
    },
    store: {
      load: async (name) => {
        await outbox.register(name, ['alerts'])
        return values.get(name)
      },
      save: async (name, bytes, cursor) => {
        await values.put({ [name]: bytes })
        await outbox.advance(name, 'alerts', cursor)
      },
    },
  }
}
