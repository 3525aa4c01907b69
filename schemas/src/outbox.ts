import type { Alert, AlertCapsule } from './alert.ts'
import { PlumblineError } from './codes.ts'
import type { DeadLetter } from './dead-letter.ts'
import type { Verdict } from './feedback.ts'
import type { Incident } from './incident.ts'

/** What leaves the detector and its services, in the order of the embedded log's stored numbers. Append only. */
export const TOPICS = ['scored', 'alerts', 'capsules', 'dead-letters', 'feedback', 'releases', 'audit', 'incidents'] as const
export type Topic = (typeof TOPICS)[number]

/** A verdict as it goes to the store; its effect travels as a control record. `time` in ms since epoch. */
export interface FeedbackRecord {
  readonly time: number
  readonly tenant: string
  readonly alertId: string
  readonly identity: string
  readonly verdict: Verdict
  readonly author: string
  readonly note: string
}

/** A release that was made, refused or applied. `time` in ms since epoch; `body` is free JSON. */
export interface ReleaseRecord {
  readonly time: number
  readonly tenant: string
  readonly releaseId: string
  readonly sha256: string
  readonly body: unknown
}

/** Who did what to the service. `time` in ms since epoch; `body` is free JSON without secrets. */
export interface AuditRecord {
  readonly time: number
  readonly tenant: string
  readonly actor: string
  readonly action: string
  readonly target: string
  readonly body: unknown
}

/** What each JSON topic of the outbox carries; `scored` carries packed blocks and cannot be published by hand. */
export interface TopicRecord extends Record<Topic, unknown> {
  scored: never
  alerts: Alert
  capsules: AlertCapsule
  'dead-letters': DeadLetter
  feedback: FeedbackRecord
  releases: ReleaseRecord
  audit: AuditRecord
  incidents: Incident
}

/** One record of the outbox. Sequences count up from 1 per lane; on Kafka with gaps. */
export interface OutboxEntry {
  readonly topic: Topic
  readonly sequence: number
  readonly shard: number
  readonly firstOffset: number
  readonly lastOffset: number
  readonly rows: number
  readonly schemaVersion: number
  readonly payload: Uint8Array
}

/** Entries that a consumer has not passed are gone: retention was shorter than its absence. */
export class OutboxTrimmed extends PlumblineError {
  readonly topic: Topic
  readonly lane: number
  readonly firstLost: number
  readonly firstThere: number
  constructor(topic: Topic, lane: number, firstLost: number, firstThere: number) {
    super(
      'OUTBOX_TRIMMED',
      `Lane ${lane} of ${topic} begins with entry ${firstThere}, but entry ${firstLost} is wanted: those between were removed before they were read, ` +
        'because retention of the topic was shorter than the reader was away. Nothing goes on by itself. Restore the missing entries from a backup, ' +
        'or accept the gap: start the recorder once with acceptGaps, or set the position of another reader by hand. Keep the topic longer than your longest outage.',
    )
    this.topic = topic
    this.lane = lane
    this.firstLost = firstLost
    this.firstThere = firstThere
  }
}
