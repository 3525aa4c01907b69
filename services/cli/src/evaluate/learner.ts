import type { ChunkCommit } from '@plumbline/detector'
import type { DetectionConfig } from '@plumbline/schemas'
import { laterModelDue, type Reach } from '@plumbline/training'
import type { PolicyInUse } from '../policy/file.ts'
import { fitRelease } from './fit.ts'
import { History } from './history.ts'
import { type Flushed, Instance } from './instance.ts'

export interface LearnerOptions {
  readonly config: DetectionConfig
  readonly masterKey: Uint8Array
  /** Train by itself: first at `trainAfterEvents`, then by growth or `retrainEveryDays`. Else only when told. */
  readonly trains: boolean
  readonly policy?: PolicyInUse | undefined
  /** Told of each release, at the position from which on it is in force. */
  readonly onRelease?: (id: string, withModel: boolean, offset: number) => void
  readonly onCommit?: ((commit: ChunkCommit) => void) | undefined
}

/**
 * A throw-away instance that learns as a deployment does: statistics of peers are released at each doubling of a tenant's
 * events, models at positions that depend on the events alone.
 */
export class Learner {
  readonly instance: Instance
  readonly histories = new Map<string, History>()
  readonly #options: LearnerOptions
  /** What each tenant's newest model had to learn from. */
  readonly #trainedAt = new Map<string, Reach>()

  constructor(options: LearnerOptions) {
    this.#options = options
    this.instance = new Instance(options)
  }

  /** Processes what was appended. */
  flush(): Flushed {
    const flushed = this.instance.flush()
    for (const row of flushed.rows) this.#history(row.tenant).add(row)
    return flushed
  }

  /** Processes what was appended and puts into use what is due. Where it is called decides where releases fall. */
  async step(): Promise<Flushed> {
    const flushed = this.flush()
    for (const [tenant, history] of this.histories) {
      if (this.#options.trains && this.#modelDue(tenant, history)) await this.train(tenant)
      else if (history.statisticsDue && !this.#trainedAt.has(tenant)) await this.#release(tenant, history, false)
    }
    return flushed
  }

  /** Trains a tenant's model on what was recorded so far and puts it into use. Returns its id. */
  async train(tenant: string): Promise<string> {
    const history = this.#history(tenant)
    this.#trainedAt.set(tenant, { events: history.events, toTime: history.toTime })
    return this.#release(tenant, history, true)
  }

  #modelDue(tenant: string, history: History): boolean {
    const { trainAfterEvents, retrainEveryDays } = this.#options.config
    const last = this.#trainedAt.get(tenant)
    if (last === undefined) return history.events >= trainAfterEvents
    return laterModelDue(last, history, retrainEveryDays)
  }

  async #release(tenant: string, history: History, withModel: boolean): Promise<string> {
    const { config, onRelease } = this.#options
    const release = await fitRelease({ tenant, history, instance: this.instance, config, withModel })
    history.released()
    const offset = this.instance.nextOffset
    this.instance.release(release.bytes)
    onRelease?.(release.id, withModel, offset)
    return release.id
  }

  #history(tenant: string): History {
    const known = this.histories.get(tenant)
    if (known !== undefined) return known
    const fresh = new History()
    this.histories.set(tenant, fresh)
    return fresh
  }
}
