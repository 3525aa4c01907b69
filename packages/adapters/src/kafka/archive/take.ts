import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { PlumblineError } from '@plumbline/schemas'
import { connectAdmin } from '../access.ts'
import { eventBase } from '../bases.ts'
import { type KafkaSettings, createKafka, kafkaError } from '../client.ts'
import { createClosers } from '../closers.ts'
import { isGap, readState, type Snapshot, toLogRecord } from '../codec.ts'
import { checkDeployment, deploymentValue } from '../deployment-value.ts'
import { type PartitionReader, openPartitionReader } from '../reader.ts'
import type { ReadRecord } from '../record.ts'
import { scanRange } from '../scan.ts'
import { checkTopics } from '../topic-check.ts'
import { topicNames } from '../topics.ts'
import { openKafkaValues } from '../values.ts'
import { FILES, type Manifest, makeFolder, writeManifest } from './manifest.ts'
import { type Context, endsOf, fileOf, keepOutbox, keepRaw } from './keep.ts'

/** Per shard: position that a state stands for, and up to which outputs are stored. */
export interface ShardPositions {
  readonly starts: readonly number[]
  readonly positions: readonly number[]
  /** Behind what follows and is no event. Default: the positions. */
  readonly passed?: readonly number[]
  /** Versions of the detector that made the states; null: not known. */
  readonly detectors?: readonly (string | null)[]
}

export interface BackupOptions {
  readonly prefix: string
  readonly shards: number
  readonly masterKey: Uint8Array
  /** Folder; made, or empty. */
  readonly dir: string
  /** Of a state that is kept elsewhere: none is read, events are kept from there on. Default: state is read. */
  readonly state?: ShardPositions
  /** What is done, for people. */
  readonly onStep?: (step: string) => void
}

/** Values that belong to the processes of the moment and not to the deployment. */
const isPassing = (name: string): boolean =>
  name === 'deployment' || /^(progress|backup):/.test(name) || /^recorder:(intent|owner):/.test(name)

/** All state of a shard as it is committed now. What goes together is one transaction, so what is read is of one moment. */
const keepState = async (context: Context, reader: PartitionReader, shard: number, to: number) => {
  const file = fileOf(context, FILES.state(shard))
  let position = eventBase(context.bases, shard)
  let snapshot: Snapshot | undefined
  let passed = 0
  await scanRange(reader, { topic: topicNames(context.options.prefix).state, partition: shard, from: 0, to }, (messages) => {
    for (const message of messages) {
      const entry = readState(message)
      if (entry.kind === 'next') position = entry.offset
      if (entry.kind === 'snapshot') snapshot = entry
      if (entry.kind === 'passed') passed = entry.offset
      if (entry.kind === 'slot' || entry.kind === 'meta') file.write(message.key!, message.value)
    }
  })
  file.end()
  // Only markers follow: where retention took them away, the state stands for what is behind them as well.
  return { start: snapshot?.offset ?? position, position, passed: Math.max(position, passed), detector: snapshot?.detector ?? null }
}

const keepStates = async (context: Context): Promise<ShardPositions> => {
  const { shards, prefix, onStep = () => {} } = context.options
  const ends = await endsOf(context.admin, topicNames(prefix).state)
  const reader = await context.reader('state', shards)
  const kept: Awaited<ReturnType<typeof keepState>>[] = []
  for (let shard = 0; shard < shards; shard++) {
    onStep(`state of shard ${shard}`)
    kept.push(await keepState(context, reader, shard, ends.get(shard)?.high ?? 0))
  }
  return {
    starts: kept.map(({ start }) => start),
    positions: kept.map(({ position }) => position),
    passed: kept.map(({ passed }) => passed),
    detectors: kept.map(({ detector }) => detector),
  }
}

const CUT_TRIES = 20
/** Markers of a transaction reach its topics one after the other, within milliseconds. */
const MARKERS_MS = 1_000

/**
 * Ends of the events and the values at one moment: how far a feed is, is a value stored with what it fed, and must not be newer
 * or older than that. Values are read behind a record of this process's own, so nothing before it is still on its way.
 */
const cut = async (context: Context): Promise<{ readonly ends: Map<number, number>; readonly values: Map<string, Uint8Array> }> => {
  const { values, admin, options } = context
  const look = async (): Promise<Map<string, Uint8Array>> => {
    await values.put({ 'backup:last': Buffer.from(JSON.stringify({ v: 1, atMs: Date.now() })) })
    return new Map(values.list('').flatMap((name) => (isPassing(name) ? [] : [[name, values.get(name)!] as const])))
  }
  for (let tries = 0; tries < CUT_TRIES; tries++) {
    const before = await look()
    await sleep(MARKERS_MS)
    const ends = await endsOf(admin, topicNames(options.prefix).events)
    const after = await look()
    // The same bytes are the same object as long as nobody put the name anew.
    if (after.size === before.size && [...after].every(([name, bytes]) => before.get(name) === bytes))
      return { ends: new Map([...ends].map(([shard, { high }]) => [shard, high + eventBase(context.bases, shard)])), values: after }
  }
  throw new PlumblineError(
    'BACKUP_BUSY',
    'Values of the deployment change all the time: a feed or a backfill is under way. Try again when it is done.',
    {
      retryable: true,
    },
  )
}

const keepEvents = async (
  context: Context,
  { starts, positions, passed = positions }: ShardPositions,
  ends: ReadonlyMap<number, number>,
): Promise<void> => {
  const { options, admin, bases } = context
  const topic = topicNames(options.prefix).events
  const bounds = await endsOf(admin, topic)
  const reader = await context.reader('events', options.shards)
  for (let shard = 0; shard < options.shards; shard++) {
    const base = eventBase(bases, shard)
    const from = starts[shard]! - base
    const vouched = starts[shard] === positions[shard] ? passed[shard]! - base : from
    const low = bounds.get(shard)?.low ?? 0
    if (vouched < low && from < (ends.get(shard) ?? 0) - base)
      throw new PlumblineError(
        'RECORDS_TRIMMED',
        `Events of shard ${shard} from ${starts[shard]} on were removed by retention: what is to be done is not there any more.`,
      )
    const file = fileOf(context, FILES.events(shard))
    const keep = (message: ReadRecord): void => {
      if (isGap(message)) return
      const { offset, ingestTimeMs, key, value } = toLogRecord(message, base)
      const head = Buffer.alloc(16)
      head.writeDoubleLE(offset, 0)
      head.writeDoubleLE(ingestTimeMs, 8)
      file.write(Buffer.concat([head, key]), value)
    }
    await scanRange(reader, { topic, partition: shard, from: Math.max(from, low), to: (ends.get(shard) ?? base) - base }, (messages) =>
      messages.forEach(keep),
    )
    file.end()
  }
}

/** Takes a backup of a deployment, running or not. Errors: BACKUP_EXISTS, BACKUP_BUSY, RECORDS_TRIMMED, those of `checkDeployment`, KAFKA_UNREACHABLE. */
export const takeBackup = async (settings: KafkaSettings, options: BackupOptions): Promise<Manifest> => {
  const { prefix, shards, masterKey, dir, onStep = () => {} } = options
  if (options.state === undefined || !existsSync(dir)) makeFolder(dir)
  const kafka = createKafka(settings)
  const closers = createClosers()
  try {
    const admin = await connectAdmin(kafka, settings)
    closers.add(() => admin.disconnect())
    const partitions = await checkTopics(admin, { prefix, shards })
    const values = await openKafkaValues(settings, { prefix })
    closers.add(values.close)
    const { id, bases } = checkDeployment(values, { shards, masterKey })
    const context: Context = {
      options,
      kafka,
      admin,
      values,
      bases: { events: [...bases.events], outbox: bases.outbox },
      files: {},
      async reader(kind, count) {
        const reader = await openPartitionReader({ kafka, topic: topicNames(prefix)[kind], partitions: count, waitMs: 50 })
        closers.add(reader.close)
        return reader
      },
    }
    const state = options.state ?? (await keepStates(context))
    const { starts, positions } = state
    onStep('values and events')
    const { ends, values: kept } = await cut(context)
    const file = fileOf(context, FILES.values)
    for (const [name, bytes] of kept) file.write(Buffer.from(name), bytes)
    file.end()
    await keepEvents(context, state, ends)
    await keepRaw(
      context,
      'ingest-keys',
      1,
      () => FILES.keys,
      () => 0,
    )
    onStep('what no recorder has stored yet')
    const outboxEnd = await keepOutbox(context, partitions)
    const manifest: Manifest = {
      v: 1,
      takenAtMs: Date.now(),
      prefix,
      id,
      keyCheck: deploymentValue(values)!.keyCheck,
      shards,
      lanes: partitions.get('scored') ?? 1,
      starts: [...starts],
      positions: [...positions],
      ...(state.detectors === undefined ? {} : { detectors: [...state.detectors] }),
      ends: Array.from({ length: shards }, (_, shard) => Math.max(positions[shard]!, ends.get(shard) ?? 0)),
      bases: { events: [...bases.events], outbox: bases.outbox },
      outboxEnd,
      files: context.files,
    }
    writeManifest(dir, manifest)
    return manifest
  } catch (error) {
    throw kafkaError('KAFKA_UNREACHABLE', 'The backup could not be taken.', error)
  } finally {
    await closers.close()
  }
}
