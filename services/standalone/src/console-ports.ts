import { alertReader, eventReader, identityReader, incidentReader, verdictReader } from '@plumbline/adapters/clickhouse/read'
import type { Store } from '@plumbline/adapters/clickhouse'
import type { AlertStore, EventStore, IdentityStore, IncidentStore, VerdictCounts } from '@plumbline/console'

/** The page's stores on ClickHouse, which may come and go: each call asks for the one there is now. */
export const createConsoleStores = (
  reader: () => Store,
): {
  readonly alerts: AlertStore
  readonly events: EventStore
  readonly identities: IdentityStore
  readonly incidents: IncidentStore
  readonly verdictCounts: VerdictCounts
} => ({
  alerts: {
    page: async (...args) => alertReader(reader()).page(...args),
    find: async (...args) => alertReader(reader()).find(...args),
  },
  events: {
    at: async (...args) => eventReader(reader()).at(...args),
    newest: async (...args) => eventReader(reader()).newest(...args),
    deadLetters: async (...args) => eventReader(reader()).deadLetters(...args),
  },
  verdictCounts: { summary: async (...args) => verdictReader(reader()).summary(...args) },
  incidents: { newest: async (...args) => incidentReader(reader()).newest(...args) },
  identities: {
    list: async (...args) => identityReader(reader()).list(...args),
    find: async (...args) => identityReader(reader()).find(...args),
  },
})
