import { join } from 'node:path'
import { PlumblineError } from '@plumbline/schemas'
import type { Admin, Message } from 'kafkajs'
import { connectAdmin } from '../access.ts'
import type { Bases } from '../bases.ts'
import { type KafkaSettings, createKafka, kafkaError } from '../client.ts'
import { createClosers } from '../closers.ts'
import { GAP_KEY, INGEST_HEADER, positionMessages } from '../codec.ts'
import { beginDeployment, deploymentValue, isKeyOf } from '../deployment-value.ts'
import { ensureTopics } from '../topic-create.ts'
import { type TopicKind, type TopicNames, type TopicOptions, topicNames } from '../topics.ts'
import { type KafkaValues, openKafkaValues } from '../values.ts'
import { type Frame, checkFrames, readFrames } from './frames.ts'
import { fenceShards, leaveFor, refuseWhileWorking } from './leave.ts'
import { FILES, type Manifest, readManifest } from './manifest.ts'
import { type Sender, openSender } from './sender.ts'
import { takeBackup } from './take.ts'

/** A folder with a backup, and what it says it holds. */
export interface Archive {
  readonly dir: string
  readonly manifest: Manifest
}

/** Opens a backup and reads all of it once. Errors: BACKUP_MISSING, BACKUP_UNREADABLE, BACKUP_DAMAGED. */
export const openArchive = async (dir: string): Promise<Archive> => {
  const manifest = readManifest(dir)
  for (const [name, mark] of Object.entries(manifest.files)) await checkFrames(join(dir, name), mark)
  return { dir, manifest }
}

export const framesOf = ({ dir, manifest }: Archive, name: string): AsyncGenerator<Frame, void, undefined> => {
  const mark = manifest.files[name]
  if (mark === undefined) throw new PlumblineError('BACKUP_UNREADABLE', `The backup in ${dir} has no ${name}.`)
  return readFrames(join(dir, name), mark)
}

/** An event as it is in a backup. */
export interface KeptEvent {
  readonly offset: number
  readonly ingestTimeMs: number
  readonly key: Buffer
  readonly value: Buffer
}

export async function* eventsOf(archive: Archive, shard: number): AsyncGenerator<KeptEvent, void, undefined> {
  for await (const { head, body } of framesOf(archive, FILES.events(shard))) {
    const view = Buffer.from(head.buffer, head.byteOffset, head.length)
    yield {
      offset: view.readDoubleLE(0),
      ingestTimeMs: view.readDoubleLE(8),
      key: Buffer.from(view.subarray(16)),
      value: Buffer.from(body ?? []),
    }
  }
}

/** New topics on their way to be a deployment. */
export interface Target {
  readonly names: TopicNames
  readonly sender: Sender
  readonly values: KafkaValues
}

export interface TargetOptions extends TopicOptions {
  readonly prefix: string
  readonly masterKey: Uint8Array
}

const isEmpty = async (admin: Admin, names: TopicNames): Promise<boolean> => {
  // Values and keys know who opened them; what counts is that there is no content.
  for (const kind of ['events', 'state', 'scored', 'alerts', 'dead-letters', 'feedback', 'audit', 'models'] as const)
    if ((await admin.fetchTopicOffsets(names[kind])).some(({ high }) => Number(high) > 0)) return false
  return true
}

/**
 * Makes topics, lets `fill` fill them, and only then makes them a deployment. `fill` returns their bases.
 * Errors: TARGET_NOT_EMPTY, DEPLOYMENT_TAKEN, those of ensureTopics, KAFKA_UNREACHABLE. What was filled by then is of no use: it
 * goes with its topics.
 */
export const makeDeployment = async (
  settings: KafkaSettings,
  options: TargetOptions,
  fill: (target: Target) => Promise<Bases>,
): Promise<{ readonly id: string; readonly bases: Bases }> => {
  const kafka = createKafka(settings)
  const names = topicNames(options.prefix)
  const closers = createClosers()
  try {
    await ensureTopics(settings, options)
    const admin = await connectAdmin(kafka, settings)
    closers.add(() => admin.disconnect())
    const values = await openKafkaValues(settings, { prefix: options.prefix })
    closers.add(values.close)
    if (!(await isEmpty(admin, names)) || deploymentValue(values) !== undefined) {
      const text = `The topics of ${options.prefix} hold something already. Use a prefix of its own; nothing is ever restored over something.`
      throw new PlumblineError('TARGET_NOT_EMPTY', text)
    }
    const sender = await openSender(kafka)
    closers.add(sender.close)
    const bases = await fill({ names, sender, values })
    await sender.flush()
    return { id: await beginDeployment(values, options, bases), bases }
  } catch (error) {
    throw kafkaError('KAFKA_UNREACHABLE', 'The new topics could not be filled.', error)
  } finally {
    await closers.close()
  }
}

const VALUES_BYTES = 4 * 1024 * 1024

/** Puts named values in groups, and what `more` says on top. */
export const putValues = async (archive: Archive, values: KafkaValues, more: Readonly<Record<string, Uint8Array>> = {}): Promise<void> => {
  let group: Record<string, Uint8Array> = {}
  let bytes = 0
  for await (const { head, body } of framesOf(archive, FILES.values)) {
    group[Buffer.from(head).toString()] = Buffer.from(body ?? [])
    bytes += body?.length ?? 0
    if (bytes < VALUES_BYTES) continue
    await values.put(group)
    group = {}
    bytes = 0
  }
  await values.put({ ...group, ...more })
}

const rawMessage = ({ head, body }: Frame, partition: number): Message => {
  const { key, headers } = JSON.parse(Buffer.from(head).toString()) as { key: string; headers: Record<string, string> }
  return {
    partition,
    key: Buffer.from(key, 'base64'),
    value: body === null ? null : Buffer.from(body),
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Buffer.from(value, 'base64')])),
  }
}

/** Idempotency-Keys and what no recorder had stored, as they were; `laneOf` where a lane's entries go. */
export const sendRest = async (archive: Archive, { sender, names }: Target, lanes: number): Promise<void> => {
  for await (const frame of framesOf(archive, FILES.keys)) {
    const message = rawMessage(frame, 0)
    if (String(message.key).startsWith('i:')) await sender.send(names['ingest-keys'], message)
  }
  const kept: readonly (readonly [TopicKind, number])[] = [
    ['scored', archive.manifest.lanes],
    ['alerts', 1],
    ['dead-letters', 1],
    ['feedback', 1],
    ['audit', 1],
  ]
  for (const [kind, count] of kept) {
    for (let lane = 0; lane < count; lane++) {
      const into = kind === 'scored' ? lane % lanes : 0
      for await (const frame of framesOf(archive, FILES.outbox(kind, lane))) await sender.send(names[kind], rawMessage(frame, into))
    }
  }
}

export const eventMessageOf = ({ ingestTimeMs, key, value }: KeptEvent, partition: number): Message => ({
  partition,
  key,
  value,
  headers: { [INGEST_HEADER]: String(ingestTimeMs) },
})

/** Events of a shard at the positions they had: what was no record there keeps its place. */
const sendEvents = async (archive: Archive, { sender, names }: Target, shard: number): Promise<void> => {
  let next = archive.manifest.starts[shard]!
  for await (const event of eventsOf(archive, shard)) {
    for (; next < event.offset; next++) await sender.send(names.events, { partition: shard, key: GAP_KEY, value: null })
    await sender.send(names.events, eventMessageOf(event, shard))
    next++
  }
}

const sendState = async (archive: Archive, { sender, names }: Target, shard: number): Promise<void> => {
  for await (const { head, body } of framesOf(archive, FILES.state(shard)))
    await sender.send(names.state, { partition: shard, key: Buffer.from(head), value: body === null ? null : Buffer.from(body) })
  const [start, position] = [archive.manifest.starts[shard]!, archive.manifest.positions[shard]!]
  const snapshot = start === position ? undefined : { offset: start, detector: archive.manifest.detectors?.[shard] ?? null }
  for (const message of positionMessages(shard, position, snapshot)) await sender.send(names.state, message)
}

/** Sequences of a deployment whose end is not known any more: far enough behind what it may have reached after the backup. */
const OUTBOX_ROOM = 2 ** 32

export interface RestoreOptions {
  readonly toPrefix: string
  readonly masterKey: Uint8Array
  /** Of everything but the state. Default: the backup itself. */
  readonly rest?: Archive
  readonly replicationFactor?: number
  readonly onStep?: (step: string) => void
}

export interface Restored {
  readonly id: string
  readonly shards: number
  readonly positions: readonly number[]
  /** Events that are carried over: those behind the positions will be scored. */
  readonly events: number
}

/** Restores a backup into new topics. Errors: MASTER_KEY_WRONG, BACKUP_DAMAGED, those of `makeDeployment`. */
export const restoreArchive = async (settings: KafkaSettings, archive: Archive, options: RestoreOptions): Promise<Restored> => {
  const { manifest } = archive
  const { toPrefix, masterKey, rest = archive, replicationFactor, onStep = () => {} } = options
  if (!isKeyOf(manifest.keyCheck, masterKey, manifest.id))
    throw new PlumblineError(
      'MASTER_KEY_WRONG',
      'The master key is not the one of the deployment that this is a backup of. No identity would be known again.',
    )
  const { shards, starts, positions } = manifest
  const target = {
    prefix: toPrefix,
    shards,
    lanes: manifest.lanes,
    masterKey,
    ...(replicationFactor === undefined ? {} : { replicationFactor }),
  }
  const { id } = await makeDeployment(settings, target, async (into) => {
    onStep('values')
    await putValues(rest, into.values)
    for (let shard = 0; shard < shards; shard++) {
      onStep(`shard ${shard}`)
      await sendState(archive, into, shard)
      await sendEvents(rest, into, shard)
    }
    onStep('what no recorder had stored')
    await sendRest(rest, into, manifest.lanes)
    return { events: starts, outbox: rest.manifest.outboxEnd + OUTBOX_ROOM }
  })
  const events = Array.from({ length: shards }, (_, shard) => rest.manifest.files[FILES.events(shard)]!.frames).reduce((a, b) => a + b, 0)
  return { id, shards, positions, events }
}

/**
 * Restores the state of a backup, and everything else as the topics it was taken from have it now: what was learned goes back to
 * the backup's point, and all events since are scored anew, at the positions they had. The deployment goes on in the new topics.
 * Errors: DEPLOYMENT_RUNNING, EVENTS_LEFT_BEHIND, RECORDS_TRIMMED, and those of `takeBackup` and `restoreArchive`.
 */
export const restoreWithLater = async (
  settings: KafkaSettings,
  archive: Archive,
  options: Omit<RestoreOptions, 'rest'> & { readonly workDir: string },
): Promise<Restored> => {
  const { prefix, shards, starts, positions } = archive.manifest
  const { masterKey, workDir, toPrefix, onStep } = options
  await refuseWhileWorking(settings, prefix)
  await fenceShards(settings, prefix, shards)
  const step = onStep === undefined ? {} : { onStep }
  const manifest = await takeBackup(settings, { prefix, shards, masterKey, state: { starts, positions }, dir: workDir, ...step })
  const restored = await restoreArchive(settings, archive, { ...options, rest: { dir: workDir, manifest } })
  await leaveFor(settings, manifest, toPrefix)
  return restored
}
