import { type FileFormat, readEvents } from '@plumbline/adapters/files'
import type { Observed } from '@plumbline/adapters/policy'

interface Seen {
  events: number
  readonly identities: Set<string>
  readonly actions: Map<string, number>
}

/** Classes and destinations remembered at most; a file of made-up names must not fill the memory. */
const MOST_NAMES = 10_000
const ACTIONS_SHOWN = 8

const count = (into: Map<string, Seen>, name: string, identity: string): Seen | undefined => {
  let seen = into.get(name)
  if (seen === undefined) {
    if (into.size >= MOST_NAMES) return undefined
    seen = { events: 0, identities: new Set(), actions: new Map() }
    into.set(name, seen)
  }
  seen.events++
  seen.identities.add(identity)
  return seen
}

/** What files of events show of classes and destinations. Lines that cannot be read are left out. */
export const observe = async (
  files: readonly string[],
  format: FileFormat | undefined,
  onEvent: (n: number) => void,
): Promise<Observed> => {
  const classes = new Map<string, Seen>()
  const destinations = new Map<string, Seen>()
  const identities = new Set<string>()
  let n = 0
  for (const file of files) {
    for await (const record of readEvents(file, { format })) {
      onEvent(++n)
      if (!record.ok) continue
      const { event } = record
      const identity = `${event.tenant}\u0000${event.identity.id}`
      identities.add(identity)
      const actions = count(classes, event.resource.class, identity)?.actions
      if (actions !== undefined && (actions.size < 1000 || actions.has(event.action)))
        actions.set(event.action, (actions.get(event.action) ?? 0) + 1)
      if (event.destination !== undefined) count(destinations, event.destination, identity)
    }
  }
  return {
    classes: [...classes].map(([name, s]) => ({
      class: name,
      events: s.events,
      identities: s.identities.size,
      actions: commonest(s.actions),
    })),
    destinations: [...destinations].map(([destination, s]) => ({ destination, events: s.events, identities: s.identities.size })),
    identities: identities.size,
  }
}

const commonest = (actions: ReadonlyMap<string, number>): string[] =>
  [...actions]
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .slice(0, ACTIONS_SHOWN)
    .map(([name]) => name)
