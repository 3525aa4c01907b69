import { type Change, CHANGE_LIMITS, IDENTITY_KINDS, VERSION_PARTS, type VersionPart } from '@plumbline/schemas'
import { S } from '../record.ts'
import { wide } from '../math/mix.ts'
import { compileGlob, type Glob } from '../policy/glob.ts'
import type { Work } from '../work.ts'
import { type CompiledScope, compileScope, takesIn } from './change-scope.ts'

/** Fields of an event that tell the parts of its version, in the order of VERSION_PARTS: their places are the bits of a mask. */
export const PART_FIELDS = [S.versionRelease, S.versionModel, S.versionPrompt, S.versionTools, S.versionCode] as const

/** The parts of a mask, by name. */
export const partsIn = (mask: number): VersionPart[] => VERSION_PARTS.filter((_, i) => (mask & (1 << i)) !== 0)

/** What the announced changes that an event falls under say together. */
export interface Announced {
  /** The one announced last. */
  readonly change: Change
  readonly all: readonly Change[]
  /** Parts that any of them names. */
  readonly parts: number
}

interface Entry {
  readonly change: Change
  readonly parts: number
  /** What an event falls under that falls under this one alone. */
  readonly alone: Announced
  /** Parts that have to be as announced, where an event tells them; a `*` asks for nothing. */
  readonly named: readonly { readonly field: number; readonly glob: Glob }[]
  readonly scope: CompiledScope
}

/** Changes kept, those that are over among them: a late event is judged by the window that its time lies in. */
const MOST_KEPT = CHANGE_LIMITS.known
/** Identities whose scopes are remembered; a newer answer takes the place of all. */
const MOST_SCOPES = 4096
/** For so long after its last announcement a tenant counts as one that announces its changes. */
const ANNOUNCES_MS = 180 * 86_400_000
const USER = IDENTITY_KINDS.indexOf('user')
/** What a build brings is its release and its code alike. */
const BUILD = (1 << VERSION_PARTS.indexOf('release')) | (1 << VERSION_PARTS.indexOf('code'))

export interface SavedChanges {
  readonly kept: readonly Change[]
  /** Arrival of the first announcement and of the last one. */
  readonly firstMs: number
  readonly lastMs: number
}

/** The announced changes of one tenant, as its records in one shard say. */
export class AnnouncedChanges {
  #entries: Entry[] = []
  #firstMs = 0
  #lastMs = 0
  #until = 0
  readonly #scopes = new Map<number, readonly Entry[]>()

  /** Takes a change in, at the arrival of its record. False where as many as allowed are open. */
  announce(change: Change, nowMs: number): boolean {
    const others = this.#entries.filter((e) => e.change.id !== change.id)
    if (others.filter((e) => e.change.until > nowMs).length >= CHANGE_LIMITS.open) return false
    if (others.length >= MOST_KEPT) others.splice(earliest(others), 1)
    this.#use([...others, entryOf(change)])
    if (this.#firstMs === 0) this.#firstMs = nowMs
    this.#lastMs = Math.max(this.#lastMs, nowMs)
    return true
  }

  /** The change announced last, where one is kept. */
  latest(): Change[] {
    return this.#entries.slice(-1).map((e) => e.change)
  }

  withdraw(id: string): void {
    this.#use(this.#entries.filter((e) => e.change.id !== id))
  }

  /** Whether somebody announces changes here, at that time: then one that nobody announced is news. */
  areUsual(timeMs: number): boolean {
    return this.#firstMs !== 0 && timeMs >= this.#firstMs && timeMs - this.#lastMs <= ANNOUNCES_MS
  }

  /** The changes that the event falls under, by its time, its identity and what it tells of its version; null for none. */
  of(w: Work): Announced | null {
    if (w.timeMs >= this.#until || w.event.kind === USER) return null
    let found: Announced | null = null
    for (const entry of this.#scopeOf(w))
      if (isWithin(entry.change, w.timeMs) && runsIt(entry, w)) found = found === null ? entry.alone : together(found, entry)
    return found
  }

  /** To be called when what the policy says of identities changes. */
  forgetScopes(): void {
    this.#scopes.clear()
  }

  /** undefined while nobody ever announced anything. */
  saved(): SavedChanges | undefined {
    if (this.#firstMs === 0) return undefined
    return { kept: this.#entries.map((e) => e.change), firstMs: this.#firstMs, lastMs: this.#lastMs }
  }

  restore({ kept, firstMs, lastMs }: SavedChanges): void {
    this.#use(kept.map(entryOf))
    this.#firstMs = firstMs
    this.#lastMs = lastMs
  }

  #use(entries: Entry[]): void {
    this.#entries = entries
    this.#until = Math.max(0, ...entries.map((e) => e.change.until))
    this.#scopes.clear()
  }

  /** Whose scope the identity is in, whatever the time. A group that the event itself names may differ from event to event. */
  #scopeOf(w: Work): readonly Entry[] {
    if (w.event.has(S.peerGroup)) return this.#entries.filter((e) => isInScope(e, w))
    const key = wide(w.hashes.lo[S.identity]!, w.hashes.hi[S.identity]!)
    const known = this.#scopes.get(key)
    if (known !== undefined) return known
    if (this.#scopes.size >= MOST_SCOPES) this.#scopes.clear()
    const found = this.#entries.filter((e) => isInScope(e, w))
    this.#scopes.set(key, found)
    return found
  }
}

const together = (found: Announced, { change, parts }: Entry): Announced => ({
  change,
  all: [...found.all, change],
  parts: found.parts | parts,
})

const entryOf = (change: Change): Entry => {
  const { what, scope } = change
  const named = VERSION_PARTS.flatMap((part, i) => {
    const pattern = what[part]
    return pattern === undefined || pattern === '*' ? [] : [{ field: PART_FIELDS[i]!, glob: compileGlob(pattern) }]
  })
  const said = VERSION_PARTS.reduce((mask, part, i) => (what[part] === undefined ? mask : mask | (1 << i)), 0)
  const parts = (said & BUILD) === 0 ? said : said | BUILD
  return {
    change,
    parts,
    alone: { change, all: [change], parts },
    named,
    scope: compileScope(scope),
  }
}

/** The one that is over first; of equals the one announced first. */
const earliest = (entries: readonly Entry[]): number => {
  let at = 0
  for (let i = 1; i < entries.length; i++) if (entries[i]!.change.until < entries[at]!.change.until) at = i
  return at
}

const isWithin = ({ from, until }: Change, timeMs: number): boolean => timeMs >= from && timeMs < until

/** What the event tells of a part that is named must be what was announced; of a part that it does not tell nothing is known. */
const runsIt = ({ named }: Entry, { event }: Work): boolean =>
  named.every(({ field, glob }) => !event.has(field) || glob.matches(event.text(field)))

const isInScope = ({ scope }: Entry, w: Work): boolean => {
  const id = w.event.text(S.identity)
  return takesIn(scope, id, () => (w.event.has(S.peerGroup) ? w.event.text(S.peerGroup) : w.tenant.policy.identityOf(id).peerGroup))
}
