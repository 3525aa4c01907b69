import { createPlaces, reshard, shardOfKey } from '@plumbline/detector'
import { type DetectionConfig, PlumblineError } from '@plumbline/schemas'
import type { KafkaSettings } from '../client.ts'
import { createKafka } from '../client.ts'
import { connectAdmin } from '../access.ts'
import { openPartitionReader } from '../reader.ts'
import { scanRange } from '../scan.ts'
import { lanesFor, topicNames } from '../topics.ts'
import { positionMessages } from '../codec.ts'
import { fenceShards, leaveFor, refuseWhileWorking } from './leave.ts'
import { FILES } from './manifest.ts'
import {
  type Archive,
  type KeptEvent,
  type Target,
  eventMessageOf,
  eventsOf,
  framesOf,
  makeDeployment,
  putValues,
  sendRest,
} from './restore.ts'
import { takeBackup } from './take.ts'

export interface RepartitionOptions {
  readonly prefix: string
  /** Present number. */
  readonly from: number
  readonly shards: number
  readonly toPrefix: string
  readonly masterKey: Uint8Array
  /** A new folder: what is moved is kept there as a backup. */
  readonly dir: string
  /** Identities that are known elsewhere, like in ClickHouse: slots are under hashes of their names, and names say where they go. */
  readonly names: AsyncIterable<{ readonly tenant: string; readonly identity: string }>
  /** Goes on although slots belong to nobody whose name is known: those are learned anew. Default: refuse. */
  readonly forgetUnknown?: boolean
  readonly replicationFactor?: number
  readonly onStep?: (step: string) => void
}

export interface Repartitioned {
  readonly id: string
  readonly slots: number
  readonly events: number
  /** Slots without a name, which are left behind. */
  readonly forgotten: number
  /** See `reshard`. */
  readonly openAlertsLeft: number
}

const SLOT = 's:'
const META = 'm:'
const hex = (key: Uint8Array): string => Buffer.from(key).toString('hex')

/** Tenant and identity of an event's key; undefined for other records. */
const ownerOf = (key: Uint8Array): { readonly tenant: string; readonly identity: string } | undefined => {
  const text = Buffer.from(key).toString()
  const at = text.indexOf('|')
  return /^[eh]:/.test(text) && at > 0 ? { tenant: text.slice(2, at), identity: text.slice(at + 1) } : undefined
}

/** Names of all identities that the events topic still has events of. */
const namesInEvents = async (
  settings: KafkaSettings,
  { prefix, from }: RepartitionOptions,
  take: (key: Uint8Array) => void,
): Promise<void> => {
  const kafka = createKafka(settings)
  const topic = topicNames(prefix).events
  const admin = await connectAdmin(kafka, settings)
  const reader = await openPartitionReader({ kafka, topic, partitions: from, waitMs: 50 })
  try {
    for (const { partition, low, high } of await admin.fetchTopicOffsets(topic))
      await scanRange(reader, { topic, partition, from: Number(low), to: Number(high) }, (messages) => {
        for (const { key } of messages) if (key !== null) take(key)
      })
  } finally {
    await reader.close()
    await admin.disconnect()
  }
}

/** New shard of each slot whose identity is known by name. */
const findPlaces = async (settings: KafkaSettings, options: RepartitionOptions): Promise<Map<string, number>> => {
  const placeOf = createPlaces({ masterKey: options.masterKey, shards: options.shards })
  const places = new Map<string, number>()
  const seen = new Set<string>()
  const note = ({ tenant, identity }: { readonly tenant: string; readonly identity: string }): void => {
    const name = JSON.stringify([tenant, identity])
    if (seen.has(name)) return
    seen.add(name)
    const { shard, key } = placeOf(tenant, identity)
    places.set(hex(key), shard)
  }
  await namesInEvents(settings, options, (key) => {
    const owner = ownerOf(key)
    if (owner !== undefined) note(owner)
  })
  for await (const known of options.names) note(known)
  return places
}

/** Only what every shard has done alike can be moved: nothing is computed here. */
const checkSettled = async (archive: Archive): Promise<void> => {
  const { shards, starts, positions } = archive.manifest
  const behind = positions.filter((position, shard) => starts[shard] !== position).length
  if (behind > 0) {
    throw new PlumblineError(
      'STATE_BEHIND',
      `The state of ${behind} shards is older than their outputs. Start the workers once more and stop them with SIGTERM: they save it then.`,
      { retryable: true },
    )
  }
  for (let shard = 0; shard < shards; shard++)
    for await (const { key } of eventsOf(archive, shard))
      if (ownerOf(key) === undefined)
        throw new PlumblineError(
          'CONTROLS_WAITING',
          'Verdicts, releases or policies are still to be applied. Let the workers go on until the lag is none.',
          {
            retryable: true,
          },
        )
}

/** Slots that are in the backup, and those of them whose identity has no known name. */
const countSlots = async (archive: Archive, places: ReadonlyMap<string, number>) => {
  const slots = new Set<string>()
  for (let shard = 0; shard < archive.manifest.shards; shard++) {
    for await (const { head, body } of framesOf(archive, FILES.state(shard))) {
      if (Buffer.from(head.subarray(0, 2)).toString('latin1') !== SLOT) continue
      if (body === null) slots.delete(hex(head.subarray(2)))
      else slots.add(hex(head.subarray(2)))
    }
  }
  return { slots: slots.size, unknown: [...slots].filter((key) => !places.has(key)).length }
}

/** Pending events of all shards in the order they came in; those of an identity stay in theirs. */
async function* inOrder(archive: Archive): AsyncGenerator<KeptEvent, void, undefined> {
  const heads: { event: KeptEvent; rest: AsyncGenerator<KeptEvent, void, undefined> }[] = []
  for (let shard = 0; shard < archive.manifest.shards; shard++) {
    const rest = eventsOf(archive, shard)
    const first = await rest.next()
    if (first.done !== true) heads.push({ event: first.value, rest })
  }
  while (heads.length > 0) {
    const earliest = heads.reduce((best, head, i) => (head.event.ingestTimeMs < heads[best]!.event.ingestTimeMs ? i : best), 0)
    const head = heads[earliest]!
    yield head.event
    const next = await head.rest.next()
    if (next.done === true) heads.splice(earliest, 1)
    else head.event = next.value
  }
}

const sendMoved = async (
  archive: Archive,
  { sender, names }: Target,
  { shards }: RepartitionOptions,
  places: ReadonlyMap<string, number>,
  base: number,
) => {
  const metas: Map<string, Uint8Array>[] = []
  for (let old = 0; old < archive.manifest.shards; old++) {
    const meta = new Map<string, Uint8Array>()
    for await (const { head, body } of framesOf(archive, FILES.state(old))) {
      const key = Buffer.from(head)
      const kind = key.toString('latin1', 0, 2)
      if (kind === META && body !== null) meta.set(key.toString('utf8', 2), Buffer.from(body))
      const partition = kind === SLOT ? places.get(hex(key.subarray(2))) : undefined
      if (partition !== undefined) await sender.send(names.state, { partition, key, value: body === null ? null : Buffer.from(body) })
    }
    metas.push(meta)
  }
  const moved = reshard(metas, shards)
  for (const [partition, meta] of moved.metas.entries()) {
    for (const [name, bytes] of meta) await sender.send(names.state, { partition, key: `${META}${name}`, value: Buffer.from(bytes) })
    for (const message of positionMessages(partition, base)) await sender.send(names.state, message)
  }
  let events = 0
  for await (const event of inOrder(archive)) {
    // A backfill's record is in the shard of its live form.
    const key = Buffer.from(event.key)
    key[0] = 'e'.charCodeAt(0)
    await sender.send(names.events, eventMessageOf(event, shardOfKey(key, shards)))
    events++
  }
  return { events, openAlertsLeft: moved.openAlertsLeft }
}

/** The configuration that scores names the number of shards: a record in another identity's shard is refused by it. */
const configFor = async (archive: Archive, shards: number): Promise<Record<string, Uint8Array>> => {
  for await (const { head, body } of framesOf(archive, FILES.values)) {
    if (Buffer.from(head).toString() !== 'detection-config' || body === null) continue
    const config = JSON.parse(Buffer.from(body).toString()) as DetectionConfig
    return { 'detection-config': Buffer.from(JSON.stringify({ ...config, shards })) }
  }
  return {}
}

/**
 * Moves a deployment that is stopped to another number of shards, in new topics (contracts C14). Positions go on behind all that
 * there were, so nothing that rows and alerts refer to comes twice. Errors: DEPLOYMENT_RUNNING, STATE_BEHIND, CONTROLS_WAITING,
 * SHARDS_UNEVEN (all retryable), IDENTITIES_UNKNOWN, EVENTS_LEFT_BEHIND, and those of `takeBackup` and `makeDeployment`.
 */
export const repartition = async (settings: KafkaSettings, options: RepartitionOptions): Promise<Repartitioned> => {
  const { prefix, from, shards, toPrefix, masterKey, dir, onStep = () => {}, replicationFactor } = options
  await refuseWhileWorking(settings, prefix)
  await fenceShards(settings, prefix, from)
  const manifest = await takeBackup(settings, { prefix, shards: from, masterKey, dir, onStep })
  const archive = { dir, manifest }
  await checkSettled(archive)
  onStep('names of identities')
  const places = await findPlaces(settings, options)
  const { slots, unknown } = await countSlots(archive, places)
  if (unknown > 0 && options.forgetUnknown !== true) {
    throw new PlumblineError(
      'IDENTITIES_UNKNOWN',
      `${unknown} of ${slots} baselines belong to identities whose names are neither in the events that are still there nor in ClickHouse, so nobody can say where they go. Name the ClickHouse of the deployment, or let them be learned anew with --forget-unknown.`,
    )
  }
  const base = Math.max(...manifest.ends)
  const target = { prefix: toPrefix, shards, masterKey, ...(replicationFactor === undefined ? {} : { replicationFactor }) }
  let moved = { events: 0, openAlertsLeft: 0 }
  const { id } = await makeDeployment(settings, target, async (into) => {
    onStep('values')
    await putValues(archive, into.values, await configFor(archive, shards))
    onStep('baselines and events')
    moved = await sendMoved(archive, into, options, places, base)
    await sendRest(archive, into, lanesFor(shards))
    return { events: Array.from({ length: shards }, () => base), outbox: manifest.outboxEnd }
  })
  await leaveFor(settings, manifest, toPrefix)
  return { id, slots: slots - unknown, forgotten: unknown, ...moved }
}
