import { S } from '../record.ts'
import type { Work } from '../work.ts'

const toldText = (w: Work, field: number): string | undefined => (w.event.has(field) ? w.event.text(field) : undefined)

/** A field in words, undefined when the event has none: the class as the policy has it, segments as the event tells them, else as the policy does. */
export const textOf = (w: Work, field: number): string | undefined => {
  if (field === S.resourceClass) return w.said.resource.class ?? toldText(w, field)
  return toldText(w, field) ?? (field === S.segment ? w.said.from : field === S.resourceSegment ? w.said.to : undefined)
}
