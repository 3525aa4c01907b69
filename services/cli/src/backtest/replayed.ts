import type { Alert, DetectionConfig } from '@plumbline/schemas'
import type { FileFormat } from '@plumbline/adapters/files'
import type { PolicyInUse } from '../policy/file.ts'
import type { Progress } from '../progress.ts'
import { replay } from '../replay/replay.ts'
import { throwAwayTarget } from '../replay/throw-away.ts'
import { type Comparison, compareTold, type Told } from './compare.ts'
import { decideAll, type Signal, signalOf } from './decide.ts'

export interface ReplayedBacktest extends Comparison {
  readonly sinceTime: number
  /** Replayed, those before `sinceTime` to learn from included. */
  readonly events: number
}

export interface ReplayedOptions {
  readonly files: readonly string[]
  readonly format: FileFormat | undefined
  readonly tenant: string
  readonly sinceTime: number
  readonly progress: Progress
}

export interface Way {
  readonly config: DetectionConfig
  readonly policy: PolicyInUse | undefined
}

/** The same trouble in both runs: ids name the first event of a group, which another way of scoring may place elsewhere. */
const nameOf = ({ facts, family, groupKey }: Alert): string => JSON.stringify([facts.tenant, facts.identity.id, family, groupKey])

const runOf = async (options: ReplayedOptions, { config, policy }: Way): Promise<{ readonly told: Told; readonly events: number }> => {
  const { files, format, tenant, sinceTime, progress } = options
  const signals: Signal[] = []
  const take = async (alert: Alert): Promise<void> => {
    if (alert.firstSeen >= sinceTime) signals.push({ ...signalOf(alert, ''), id: nameOf(alert) })
  }
  const target = throwAwayTarget(config, { budgetPerDay: Number.POSITIVE_INFINITY, live: true, show: take }, { policy })
  const { events } = await replay({ files, format, tenant, pace: 0, target, progress, signal: undefined })
  return { told: decideAll(signals, { threshold: null, alertBudgetPerDay: config.alertBudgetPerDay }), events }
}

/** The same events through two throw-away instances, one as deployments ship and one with the settings: exact, learning included. */
export const backtestReplayed = async (options: ReplayedOptions, before: Way, after: Way): Promise<ReplayedBacktest> => {
  const first = await runOf(options, before)
  const second = await runOf(options, after)
  return { ...compareTold(first.told, second.told), sinceTime: options.sinceTime, events: first.events }
}
