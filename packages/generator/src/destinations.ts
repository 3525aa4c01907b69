import type { Provenance } from '@plumbline/schemas'
import { DOMAINS, domainName } from './names.ts'
import { mix, type Rng, unitOf } from './prng.ts'
import type { DestinationKind } from './tools.ts'
import type { Member, World } from './world.ts'

interface Habit {
  /** Destinations everybody of the role (or company) uses. */
  readonly shared: readonly string[] | number
  readonly sharedPart: number
  /** How many of one's own, used with falling frequency. */
  readonly own: number
  /** Share that goes where this identity never went. */
  readonly fresh: number
  /** Where an agent got the value from: the user's words, a tool result (the rest: from nowhere). */
  readonly fromUser: number
  readonly fromTool: number
  readonly shape: (domain: string) => string
}

const plain = (d: string): string => d
const freeMail = [
  'mailbox.example',
  'postly.example',
  'inboxx.example',
  'webmail.example',
  'quickmail.example',
  'letterbox.example',
  'homepost.example',
  'mailo.example',
]

const HABITS: Readonly<Record<DestinationKind, Habit>> = {
  customer: { shared: freeMail, sharedPart: 0.72, own: 60, fresh: 0.06, fromUser: 0.15, fromTool: 0.84, shape: plain },
  contact: { shared: ['acme.example'], sharedPart: 0.58, own: 14, fresh: 0.012, fromUser: 0.8, fromTool: 0.18, shape: plain },
  web: { shared: 40, sharedPart: 0.55, own: 30, fresh: 0.12, fromUser: 0.2, fromTool: 0.72, shape: (d) => `www.${d}` },
  saas: {
    shared: ['drive.acme-cloud.example', 'upload.papertrail.example', 'files.boxline.example'],
    sharedPart: 0.93,
    own: 2,
    fresh: 0.004,
    fromUser: 0.85,
    fromTool: 0.12,
    shape: (d) => `files.${d}`,
  },
  partner: {
    shared: ['archive.openscience.example', 'data.uni-norden.example'],
    sharedPart: 0.95,
    own: 2,
    fresh: 0.003,
    fromUser: 0.88,
    fromTool: 0.1,
    shape: (d) => `data.${d}`,
  },
  git: { shared: ['git.acme.example'], sharedPart: 1, own: 0, fresh: 0.0004, fromUser: 0.7, fromTool: 0.25, shape: (d) => `git.${d}` },
  registry: {
    shared: ['registry.packages.example', 'mirror.acme.example', 'crates.packages.example'],
    sharedPart: 0.98,
    own: 2,
    fresh: 0.004,
    fromUser: 0.3,
    fromTool: 0.5,
    shape: (d) => `pkg.${d}`,
  },
  account: {
    shared: 25,
    sharedPart: 0.3,
    own: 24,
    fresh: 0.015,
    fromUser: 0.35,
    fromTool: 0.65,
    shape: (d) => `acct/${d.replace('.example', '')}`,
  },
  archive: { shared: ['vault.backup.example'], sharedPart: 1, own: 0, fresh: 0, fromUser: 1, fromTool: 0, shape: plain },
  social: {
    shared: ['social.birdsong.example', 'feed.mosaic.example'],
    sharedPart: 0.98,
    own: 1,
    fresh: 0.003,
    fromUser: 0.9,
    fromTool: 0.1,
    shape: plain,
  },
  model: { shared: ['llm.gateway.example'], sharedPart: 1, own: 0, fresh: 0, fromUser: 0, fromTool: 0, shape: plain },
}

const shaped = new Map<string, string[]>()
const at = (kind: DestinationKind, i: number): string => {
  let list = shaped.get(kind)
  if (list === undefined) {
    list = []
    shaped.set(kind, list)
  }
  const known = list[i]
  if (known !== undefined) return known
  const made = HABITS[kind].shape(domainName(i))
  list[i] = made
  return made
}

/** A destination of this kind drawn from the whole world, so almost surely never used by this identity. */
export const freshDestination = (kind: DestinationKind, rng: Rng): string => at(kind, rng.below(DOMAINS))

/** One of the identity's own; small ranks are its favourites. */
export const ownDestination = (m: Member, kind: DestinationKind, rank: number): string =>
  at(kind, Math.floor(unitOf(mix(mix(m.hash, 500 + kind.length * 31 + kind.charCodeAt(0)), rank)) * DOMAINS))

/** One that everybody of the company or role uses. */
export const sharedDestination = (w: World, m: Member, kind: DestinationKind, rng: Rng): string => {
  const shared = HABITS[kind].shared
  if (typeof shared !== 'number') return shared[rng.rank(shared.length)]!
  return at(kind, Math.floor(unitOf(mix(mix(w.settings.seed, 900 + m.role.index), rng.rank(shared))) * DOMAINS))
}

/** Where an ordinary send goes. */
export const chooseDestination = (w: World, m: Member, kind: DestinationKind, rng: Rng): string => {
  const habit = HABITS[kind]
  const u = rng.unit()
  const fresh = habit.fresh * w.settings.tuning.newDestinations
  if (u < fresh) return freshDestination(kind, rng)
  if (habit.own === 0 || u < fresh + habit.sharedPart * (1 - fresh)) return sharedDestination(w, m, kind, rng)
  return ownDestination(m, kind, rng.rank(habit.own))
}

/** Where an agent got an ordinary destination from; null for endpoints that are no argument. */
export const chooseProvenance = (kind: DestinationKind, rng: Rng): Provenance | null => {
  if (kind === 'model' || kind === 'archive') return null
  const u = rng.unit()
  const habit = HABITS[kind]
  return u < habit.fromUser ? 'user' : u < habit.fromUser + habit.fromTool ? 'tool' : 'new'
}

/** Keyed hash of a destination-like string as the edge would compute it, 16 hex digits. */
export const edgeHash = (seed: number, text: string): string => {
  let a = seed ^ 0x51ed270b
  let b = seed ^ 0x2c1b3c6d
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    a = Math.imul(a ^ c, 0x01000193)
    b = Math.imul(b ^ c, 0x5bd1e995) ^ (b >>> 15)
  }
  return (mix(a, 1) >>> 0).toString(16).padStart(8, '0') + (mix(b, 2) >>> 0).toString(16).padStart(8, '0')
}
