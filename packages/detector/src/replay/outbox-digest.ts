import { createHash } from 'node:crypto'
import type { ChunkCommit } from '../ports.ts'

/** Hash of what a detector put out: scored rows of each shard one after the other, alerts beside them. Chunk borders leave no trace. */
export class OutboxDigest {
  readonly #rows: ReturnType<typeof createHash>[]
  readonly #alerts: ReturnType<typeof createHash>[]

  constructor(shards: number) {
    this.#rows = Array.from({ length: shards }, () => createHash('sha256'))
    this.#alerts = Array.from({ length: shards }, () => createHash('sha256'))
  }

  readonly add = (commit: ChunkCommit): void => {
    if (commit.scored !== null) this.#rows[commit.shard]!.update(commit.scored.bytes)
    for (const alert of commit.alerts) this.#alerts[commit.shard]!.update(`${JSON.stringify(alert)}\n`)
  }

  /** Of everything added; ends the digest. */
  hex(): string {
    const all = createHash('sha256')
    for (const h of [...this.#rows, ...this.#alerts]) all.update(h.digest())
    return all.digest('hex')
  }
}
