import type { EventInput } from '@plumbline/schemas'
import type { Level } from './options.ts'

/** `time` is always epoch ms here, so that events sort without parsing. */
export type MadeEvent = EventInput & { readonly time: number }

/**
 * The same event as thinner telemetry shows it. Every level draws the same random numbers, so a seed tells the same
 * story at each level.
 */
export const thin = (e: MadeEvent, level: Level): MadeEvent => {
  if (level === 'L2') return e
  if (level === 'L1') {
    const { sensitivity: _, ...bare } = e.resource
    const out: Record<string, unknown> = {}
    for (const [k, v] of Object.entries(e)) if (k !== 'content' && k !== 'destinationProvenance') out[k] = k === 'resource' ? bare : v
    return out as MadeEvent
  }
  const out: Record<string, unknown> = { id: e.id, time: e.time }
  if (e.tenant !== undefined) out['tenant'] = e.tenant
  out['identity'] = { id: e.identity.id, kind: e.identity.kind }
  if (e.session !== undefined) out['session'] = e.session
  out['action'] = e.action
  out['resource'] = { class: e.resource.class === 'model' ? 'model' : 'tool' }
  if (e.outcome !== undefined) out['outcome'] = e.outcome
  if (e.tokensIn !== undefined) out['tokensIn'] = e.tokensIn
  if (e.tokensOut !== undefined) out['tokensOut'] = e.tokensOut
  if (e.durationMs !== undefined) out['durationMs'] = e.durationMs
  return out as MadeEvent
}
