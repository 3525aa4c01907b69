import { type BuiltRelease, buildRelease } from '@plumbline/training'
import { type DetectionConfig, FEATURE_COUNT, PlumblineError } from '@plumbline/schemas'
import type { History } from './history.ts'
import type { Instance } from './instance.ts'

/** Fewer recorded vectors than this train no net: statistics alone then score, and the summary says so. */
const MIN_ROWS = 200

export interface FitRequest {
  readonly tenant: string
  readonly history: History
  readonly instance: Instance
  readonly config: DetectionConfig
  /** False: statistics of peers and everyone only. */
  readonly withModel: boolean
}

/** Builds the next release of a tenant from a throw-away instance's history and state. Seed 0: same history, same bytes. */
export const fitRelease = async ({ tenant, history, instance, config, withModel }: FitRequest): Promise<BuiltRelease> => {
  const state = instance.detector.tenantsOf(0).get(tenant)
  if (state === undefined) throw new PlumblineError('EVALUATE_TENANT', `tenant ${tenant} has no state`)
  const { rows, alerted, groups } = withModel ? history.forTraining : history.all
  return buildRelease({
    tenant,
    sequence: history.sequence,
    rows,
    alerted,
    groups,
    eventsPerDay: history.eventsPerDay,
    slots: instance.slotsOf(state, history.identities),
    groupNames: state.groupNames,
    config,
    seed: 0,
    createdFrom: { positions: { '0': instance.nextOffset }, events: history.events, fromTime: history.fromTime, toTime: history.toTime },
    withModel: withModel && rows.length >= MIN_ROWS * FEATURE_COUNT,
  })
}
