import { randomBytes } from 'node:crypto'
import { feedOnce, settle } from '../instance/feed.ts'
import type { Api } from '../instance/api.ts'
import type { Progress } from '../progress.ts'
import type { ReplayTarget } from './replay.ts'

const BATCH_EVENTS = 500
const BATCH_BYTES = 1024 * 1024
const MOST_WAIT_MS = 500

/**
 * Events of files into a running instance as if each had arrived at its event time: max(previous, event time), contracts C2.
 * Only the operator of its machine can do this; senders' events are stamped by the instance's clock.
 */
export const operatorTarget = (operator: Api, tenant: string, progress: Progress): ReplayTarget => {
  const run = `replay-${randomBytes(8).toString('hex')}`
  const codes: Record<string, number> = {}
  const tenants = new Set<string>()
  let parts: Uint8Array[] = []
  let [bytes, batches, arrival] = [0, 0, 0]
  let sentAt = performance.now()
  const learning = (): void => progress.phase('learning what is normal')
  const flush = async (): Promise<void> => {
    if (parts.length === 0) return
    const header = { mode: 'replay', tenant, id: `${run}:${batches++}`, arrival, from: {}, to: {} } as const
    const answer = await feedOnce(operator, header, parts, learning)
    parts = []
    bytes = 0
    arrival = answer.arrival
    for (const { code } of answer.errors) codes[code] = (codes[code] ?? 0) + 1
    sentAt = performance.now()
  }
  return {
    event: async (event) => {
      parts.push(event.bytes)
      bytes += event.bytes.length
      tenants.add(event.tenant)
      if (parts.length >= BATCH_EVENTS || bytes >= BATCH_BYTES || performance.now() - sentAt > MOST_WAIT_MS) await flush()
    },
    finish: async (stopped) => {
      await flush()
      // The audit log knows a replay that was interrupted by its having no end.
      if (!stopped) await settle(operator, tenants, false, learning)
      return { codes }
    },
  }
}
