import type { FastifyRequest } from 'fastify'
import { PlumblineError, type AlertView, type StatusView } from '@plumbline/schemas'
import type { Reader } from './auth.ts'
import type { TailedAlerts } from './live-tail.ts'
import type {
  AlertFilter,
  BlindSpotSource,
  ChangeFilter,
  ChangeStore,
  EventStore,
  IdentityStore,
  IncidentFilter,
  IncidentStore,
  StatusSource,
  Tenants,
  VerdictCounts,
} from './ports.ts'

/** What a reader may see. One object per reader: equal scopes are the same. */
export interface Scope {
  readonly tenants: Tenants
  /** Tenant meant by a request that needs one and names none. */
  readonly home: string
}

/** A filter as a request states it. */
export type AskedFilter = Omit<AlertFilter, 'tenants'> & { readonly tenant?: string | undefined }

type AskedIncidents = Omit<IncidentFilter, 'tenants'> & { readonly tenant?: string | undefined }

type AskedChanges = Omit<ChangeFilter, 'tenants'> & { readonly tenant?: string | undefined }

/** What routes read from, already kept to the tenants of the reader. */
export interface Reads {
  readonly alerts: {
    page(asked: AskedFilter, ...rest: PageRest): ReturnType<TailedAlerts['page']>
    /** Null also for an alert of a tenant that the reader may not see. */
    find(id: string): Promise<AlertView | null>
  }
  readonly events: {
    at: EventStore['at']
    newest(tenant: string | undefined, ...rest: NewestRest): ReturnType<EventStore['newest']>
    deadLetters(tenant: string | undefined, ...rest: LettersRest): ReturnType<EventStore['deadLetters']>
  }
  readonly identities: {
    list(tenant: string | undefined, ...rest: ListRest): ReturnType<IdentityStore['list']>
    find(tenant: string | undefined, identity: string): ReturnType<IdentityStore['find']>
  }
  readonly incidents: {
    newest(asked: AskedIncidents, limit: number): ReturnType<IncidentStore['newest']>
  }
  readonly changes: {
    page(asked: AskedChanges, ...rest: ChangesRest): ReturnType<ChangeStore['page']>
  }
  readonly verdicts: {
    summary(tenant: string | undefined, since: number): ReturnType<VerdictCounts['summary']>
  }
  readonly blindSpots: {
    of(tenant: string | undefined, identity: string): ReturnType<BlindSpotSource['of']>
    measure(tenant: string | undefined, identity: string): ReturnType<BlindSpotSource['measure']>
  }
  status(): StatusView
}

/** A reader's share: what it may see, and what it reads from. */
export interface View {
  readonly scope: Scope
  readonly reads: Reads
}
export type ViewOf = (request: FastifyRequest) => View

type Rest<F> = F extends (first: never, ...rest: infer R) => unknown ? R : never
type PageRest = Rest<TailedAlerts['page']>
type NewestRest = Rest<EventStore['newest']>
type LettersRest = Rest<EventStore['deadLetters']>
type ListRest = Rest<IdentityStore['list']>
type ChangesRest = Rest<ChangeStore['page']>

export interface Stores {
  readonly alerts: TailedAlerts
  readonly events: EventStore
  readonly identities: IdentityStore
  readonly incidents: IncidentStore
  readonly changes: ChangeStore
  readonly verdictCounts: VerdictCounts
  readonly blindSpots: BlindSpotSource
  readonly status: StatusSource
}

/** `home`: tenant of readers that are bound to none. The demo is everybody's. */
export const scopeOf = ({ tenant }: Reader, home: string, demoTenant: string): Scope =>
  tenant === undefined ? { tenants: null, home } : { tenants: [tenant, demoTenant], home: tenant }

export const sees = ({ tenants }: Scope, tenant: string): boolean => tenants === null || tenants.includes(tenant)

/** @throws PlumblineError TENANT_FORBIDDEN */
const permitted = (scope: Scope, tenant: string): string => {
  if (sees(scope, tenant)) return tenant
  throw new PlumblineError('TENANT_FORBIDDEN', 'This token reads its own tenant and the demo only.')
}

/** The tenants of a request: the one it asks for, else all that the reader may see. */
const within = (scope: Scope, asked: string | undefined): Tenants => (asked === undefined ? scope.tenants : [permitted(scope, asked)])

/**
 * The stores as one reader may see them. This is the one place where tenants are kept apart on the way out: routes are
 * given nothing else to read from.
 */
export const scopedReads = (
  { alerts, events, identities, incidents, changes, verdictCounts, blindSpots, status }: Stores,
  scope: Scope,
): Reads => ({
  alerts: {
    page: ({ tenant, ...filter }, ...rest) => alerts.page({ ...filter, tenants: within(scope, tenant) }, ...rest),
    async find(id) {
      const alert = await alerts.find(id)
      return alert !== null && sees(scope, alert.facts.tenant) ? alert : null
    },
  },
  events: {
    at: async (tenant, ...rest) => events.at(permitted(scope, tenant), ...rest),
    newest: async (tenant, ...rest) => events.newest(permitted(scope, tenant ?? scope.home), ...rest),
    deadLetters: async (tenant, ...rest) => events.deadLetters(within(scope, tenant), ...rest),
  },
  identities: {
    list: async (tenant, ...rest) => identities.list(within(scope, tenant), ...rest),
    find: async (tenant, identity) => identities.find(permitted(scope, tenant ?? scope.home), identity),
  },
  incidents: {
    newest: async ({ tenant, ...filter }, limit) => incidents.newest({ ...filter, tenants: within(scope, tenant) }, limit),
  },
  changes: {
    page: ({ tenant, ...filter }, ...rest) => changes.page({ ...filter, tenants: within(scope, tenant) }, ...rest),
  },
  verdicts: {
    summary: async (tenant, since) => verdictCounts.summary({ tenants: within(scope, tenant), since }),
  },
  blindSpots: {
    of: (tenant, identity) => blindSpots.of(permitted(scope, tenant ?? scope.home), identity),
    measure: async (tenant, identity) => blindSpots.measure(permitted(scope, tenant ?? scope.home), identity),
  },
  status: () => status.now(scope.tenants),
})
