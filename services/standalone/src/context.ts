import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import type { Store } from '@plumbline/adapters/clickhouse'
import type { Forwarder } from '@plumbline/adapters/siem'
import type { Console } from '@plumbline/console'
import type { CorrelatorService } from '@plumbline/correlator'
import type { DeploymentLog } from '@plumbline/detector'
import { createIngestClock, createTenantLedger, type IngestPort, type TenantLedger } from '@plumbline/gateway'
import { createHealth, createMetrics, type Health, type Logger, type Metrics } from '@plumbline/runtime'
import { PlumblineError } from '@plumbline/schemas'
import type { BlindSpotWatch, ReleaseStore, Trainer } from '@plumbline/trainer'
import { type Changes, createChanges } from './changes.ts'
import type { Demo } from './demo/demo.ts'
import type { Detection } from './detection.ts'
import type { RemoveRecords } from './erasure.ts'
import type { ServiceConfig } from './options.ts'
import type { PolicyLoader } from './policy.ts'
import { signingKeyPath } from './secrets.ts'
import type { StatusTracker } from './status.ts'
import type { Storage } from './storage.ts'
import type { Verdicts } from './verdicts.ts'

/** What the parts of a process share that has the door, the page and the trainer. Parts come up one after the other; what is not there yet is null. */
export interface Context {
  readonly config: ServiceConfig
  readonly dataDir: string
  readonly token: string
  /** Of this start; handed to other commands of the same user through the instance file. */
  readonly operatorKey: string
  readonly logger: Logger
  readonly clock: () => number
  readonly metrics: Metrics
  readonly health: Health
  readonly startedAt: number
  /** Resolves when ClickHouse is there for the first time, or the process stops. */
  readonly storeUp: PromiseWithResolvers<void>
  /** The door's way into the log. */
  readonly port: IngestPort
  /** Which tenants there are; filled once the log is there. */
  readonly tenants: TenantLedger
  readonly removeRecords: RemoveRecords
  readonly changes: Changes
  /** Whether this deployment has a demo, or had one. */
  readonly withDemo: boolean
  /** Detector and recorder are this process's own: without them it is not ready. Else it goes on without and says so. */
  readonly alone: boolean
  /** Resolves when this process has to end by itself, with the reason. */
  readonly lost: PromiseWithResolvers<PlumblineError>
  /** File of the key that signs releases; its folder is made when it is asked for. */
  readonly signingKeyFile: () => string
  /** Why the log takes no events at the moment, in words; undefined while it does. */
  readonly obstacle: () => string | undefined
  /** Fires when the process is asked to stop. */
  readonly stopping: AbortController
  phase: 'starting' | 'ready' | 'stopping'
  url: string
  status: StatusTracker | null
  console: Console | null
  log: DeploymentLog | null
  releases: ReleaseStore | null
  detection: Detection | null
  verdicts: Verdicts | null
  policy: PolicyLoader | null
  forwarder: Forwarder | null
  correlator: CorrelatorService | null
  storage: Storage | null
  trainer: Trainer | null
  blindSpots: BlindSpotWatch | null
  demo: Demo | null
}

/** Tenant of events that name none. */
export const DEFAULT_TENANT = 'default'
export const VERSION = '0.1.0'

/** The part, or STARTING (retryable) while it is not there. */
export const present = <T>(part: T | null, name: string): T => {
  if (part === null) throw new PlumblineError('STARTING', `${name} is not there yet.`, { retryable: true })
  return part
}

/** A way into the log on which tenants get their policy before their first events. */
export const ruled = ({ policy }: Context, port: IngestPort): IngestPort => policy?.over(port) ?? port

export const logOf = <L extends DeploymentLog>(context: Context & { readonly log: L | null }): L => present(context.log, 'The log')
export const readerOf = (context: Context): Store => present(context.storage, 'The store').reader()

/** What differs between the processes that are made of these parts. */
export interface ContextOptions<C extends ServiceConfig> {
  readonly config: C
  readonly token: string
  readonly logger: Logger
  readonly removeRecords: RemoveRecords
  readonly withDemo: boolean
  readonly alone: boolean
  /** Default: in the data folder. */
  readonly signingKeyFile?: string | undefined
  /** Default: none. */
  readonly obstacle?: () => string | undefined
}

export const createContext = <C extends ServiceConfig>(options: ContextOptions<C>): Context & { readonly config: C } => {
  const { config, token, logger, removeRecords, withDemo, alone, signingKeyFile, obstacle = () => undefined } = options
  const context: Context & { readonly config: C } = {
    config,
    dataDir: resolve(config.dataDir),
    token,
    operatorKey: randomBytes(24).toString('base64url'),
    logger,
    clock: createIngestClock(),
    metrics: createMetrics({ process: true }),
    health: createHealth(),
    startedAt: Date.now(),
    storeUp: Promise.withResolvers<void>(),
    port: { ingest: async (batch) => ruled(context, logOf(context)).ingest(batch) },
    tenants: createTenantLedger({ perInstance: config.maxTenants, perToken: config.maxTenantsPerToken }),
    removeRecords,
    changes: createChanges({ log: () => logOf(context), clock: () => context.clock() }),
    withDemo,
    alone,
    lost: Promise.withResolvers<PlumblineError>(),
    signingKeyFile: () => signingKeyFile ?? signingKeyPath(context.dataDir),
    obstacle,
    stopping: new AbortController(),
    phase: 'starting',
    url: '',
    status: null,
    console: null,
    log: null,
    releases: null,
    detection: null,
    verdicts: null,
    policy: null,
    forwarder: null,
    correlator: null,
    storage: null,
    trainer: null,
    blindSpots: null,
    demo: null,
  }
  context.health.register('started', () => (context.phase === 'ready' ? { ok: true } : { ok: false, detail: context.phase }))
  return context
}
