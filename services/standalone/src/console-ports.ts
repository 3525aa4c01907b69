import { alertReader, eventReader, identityReader } from '@plumbline/adapters/clickhouse/read'
import type { Store } from '@plumbline/adapters/clickhouse'
import type { AlertStore, EventStore, IdentityStore } from '@plumbline/console'
import type { AlertView } from '@plumbline/schemas'

/** The page's stores on ClickHouse, which may come and go: each call asks for the one there is now. */
export const createConsoleStores = (
  reader: () => Store,
  isHeld: (alertId: string) => boolean,
): { readonly alerts: AlertStore; readonly events: EventStore; readonly identities: IdentityStore } => {
  // The rows were written before the budget decided; what it held is known here.
  const decided = <T extends AlertView | null>(alert: T): T => (alert !== null && isHeld(alert.id) ? { ...alert, delivery: 'held' } : alert)
  return {
    alerts: {
      page: async (filter, after, limit) => (await alertReader(reader()).page(filter, after, limit)).map(decided),
      find: async (id) => decided(await alertReader(reader()).find(id)),
    },
    events: {
      at: async (...args) => eventReader(reader()).at(...args),
      newest: async (...args) => eventReader(reader()).newest(...args),
      deadLetters: async (...args) => eventReader(reader()).deadLetters(...args),
    },
    identities: {
      list: async (...args) => identityReader(reader()).list(...args),
      find: async (...args) => identityReader(reader()).find(...args),
    },
  }
}
