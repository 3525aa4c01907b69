import type { FollowedRole } from './state/roles.ts'
import { FEATURE_COUNT } from '@plumbline/schemas'
import type { DecodedEvent } from './record.ts'
import type { Announced } from './state/changes.ts'
import type { Hashes, Scanner } from './1-decode/scan.ts'
import type { Segment } from './state/slots.ts'
import type { Ruling, TenantState } from './2-identify/tenants.ts'

/** Fingerprint of two things that stand together, and its other half. */
export interface Pair {
  lo: number
  hi: number
}

/**
 * The working sheet of one event on its way through the stages; one instance is reused for all events, so the path
 * allocates nothing. Each stage writes its own block and reads those above it.
 */
export class Work {
  // the record
  shard = 0
  offset = 0
  ingestTimeMs = 0
  /** The event as the log holds it. */
  raw: Uint8Array = new Uint8Array(0)
  // 1 decode
  readonly event: DecodedEvent
  // 2 identify
  tenant!: TenantState
  readonly hashes: Hashes
  seg!: Segment
  base = 0
  slot = 0
  /** Of no meaning; see `touchLines`. */
  touched = 0
  isNew = false
  /** Not learned for its age: older than the limit, or behind the identity's current hour; backfills are exempt. */
  late = false
  /** Older than the hour that the windows stand at: scored, but no window can speak of it. */
  behind = false
  duplicate = false
  /** min(event time, arrival): the time that windows and sessions run on. */
  timeMs = 0
  hourOfWeek = 0
  /** Since the identity's last event; -1 for its first. */
  gapMs = -1
  /** Fingerprints (never 0 when present) and their other halves, which pick the set. */
  action = 0
  actionHi = 0
  class_ = 0
  classHi = 0
  destination = 0
  destinationHi = 0
  resource = 0
  resourceHi = 0
  network = 0
  networkHi = 0
  country = 0
  transition = 0
  transitionHi = 0
  previousAction = 0
  /** The class with the origins of the arguments, and with any; whether there are origins. */
  readonly originsPair: Pair = { lo: 0, hi: 0 }
  readonly anyOriginsPair: Pair = { lo: 0, hi: 0 }
  hasOrigins = false
  /** The class with a lured destination, and with any whose provenance is told; whether it is. */
  readonly luredPair: Pair = { lo: 0, hi: 0 }
  readonly toldPair: Pair = { lo: 0, hi: 0 }
  told = false
  versions = 0
  versionsHi = 0
  segments = 0
  segmentsHi = 0
  delegate = 0
  delegateHi = 0
  userAgent = 0
  userAgentHi = 0
  session = 0
  sessionAt = 0
  sessionIsNew = false
  /** A session that is still open gives up its place to this event's. */
  sessionOverflow = false
  /** What the policy says of the act. */
  said!: Ruling
  sensitivity = 0
  isWrite = false
  isExternal = false
  isUntrusted = false
  /** What of the policy forbids the act: a rule's id, or "segments"; or null. */
  deniedBy: string | null = null
  /** The announced changes that the event falls under, or null. */
  announced: Announced | null = null
  // 3 features
  readonly features = new Float32Array(FEATURE_COUNT)
  /** The same as bytes, little-endian as everything that is stored. */
  readonly featureBytes = new Uint8Array(this.features.buffer)
  maturity = 0
  newAction = false
  /** Learned uses of the action, the class and the destination by this identity, at least as far as its tables tell. */
  ownActions = 0
  ownClasses = 0
  ownDestinations = 0
  newClass = false
  newDestination = false
  /** Eight bits of the destination, never 0: what a session remembers of it. */
  place = 1
  /** The destination is new to all, new in the session, and a tool result named it. */
  lured = false
  newNetwork = false
  newResource = false
  /** How likely the action after the one before it is for the identity, or for its group if that is more; and the action for everyone. */
  likelihood = 1
  pActionAll = 1
  /** The two peer groups that the session is held against, with this event. */
  readonly role: FollowedRole = { group: 0, nats: 0 }
  readonly otherRole: FollowedRole = { group: 0, nats: 0 }
  travelKmh = 0
  /** The act is foreign to its peers and rare for itself; and how many of its session are, with it. */
  foreign = false
  foreignAfter = 0
  /** What unusually large sends add up to over days, nats; 0 where this is none. */
  rampNats = 0
  /** What hours that each sent a little more than is usual add up to, nats. */
  shiftNats = 0
  /** Between the sightings of two countries; set where there are two. */
  travelGapMs = 0
  /** First-time action, class and destination of this event. */
  firsts = 0
  /** Steps of the exfiltration flow complete with this event, 0 to 3. */
  flowStep = 0
  /** The resource is new within this hour. */
  newInHour = false
  // 6 score
  surprise = 0
  reconstruction = 0
  joint = 0
  /** Unusual by itself, session aside. */
  unusual = false
  /** Fading count of unusual events in the session, this one included; see 6-score/evidence. */
  unusualAfter = 0
  /** How odd the last acts of the session were, this one included, 0 to 255; see 6-score/evidence. */
  runAfter = 0
  /** −log10 of the tail of the event by itself, and of the event in its session. */
  eventTail = 0
  tailLog10 = 0
  score = 0
  modelled = false
  readonly contributions = new Float32Array(FEATURE_COUNT)
  // 8 alert
  flags = 0
  /** Bits of VERSION_PARTS: those that changed with this event though nobody announced it, where changes are announced. */
  unannounced = 0
  /** What is unusual of it is as an announced change would have it. */
  expected = false

  /** @param scanner whose event and hashes these are */
  constructor(scanner: Pick<Scanner, 'event' | 'hashes'>) {
    this.event = scanner.event
    this.hashes = scanner.hashes
  }
}
