import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { AppendRecord, ChunkCommit, EventSink, LogRecord, ShardLog } from '@plumbline/detector'
import { type Alert, type AlertCapsule, type DeadLetter, SCORED_SCHEMA_VERSION } from '@plumbline/schemas'
import { alertOf } from '../faults/chain.ts'

/** One log under test. Every test uses its own shard, so that a shared broker is cleared by nobody. */
export interface LogUnderTest {
  readonly log: EventSink & ShardLog
  readonly shards: number
  /** A second owner of the same log in the same or another process (Kafka), or the log opened again (LMDB). */
  reopen(): Promise<EventSink & ShardLog>
  /** Everything the outbox holds for a shard, in order, committed only. */
  outbox(shard: number): Promise<{
    scored: { firstOffset: number; lastOffset: number; bytes: Uint8Array }[]
    alerts: Alert[]
    capsules: AlertCapsule[]
    deadLetters: DeadLetter[]
  }>
  close(): Promise<void>
}

const text = (value: string): Buffer => Buffer.from(value)
export const record = (shard: number, name: string, value = name): AppendRecord => ({
  shard,
  ingestTimeMs: 1_700_000_000_000,
  key: text(`e:${name}`),
  value: text(value),
})
export const commitTo = (shard: number, nextOffset: number, part: Partial<ChunkCommit> = {}): ChunkCommit => ({
  shard,
  nextOffset,
  slots: [],
  meta: [],
  scored: null,
  alerts: [],
  capsules: [],
  deadLetters: [],
  ...part,
})
const slot = (n: number, fill: number, length = 3_000): { key: Buffer; bytes: Buffer } => ({
  key: Buffer.from([0, 0, 0, 0, 0, 0, n >> 8, n & 255]),
  bytes: Buffer.alloc(length, fill),
})
const block = (firstOffset: number, lastOffset: number, fill: number): ChunkCommit['scored'] => ({
  schemaVersion: SCORED_SCHEMA_VERSION,
  firstOffset,
  lastOffset,
  rows: lastOffset - firstOffset + 1,
  bytes: Buffer.alloc(64, fill),
})

const readAll = async (log: ShardLog, shard: number, from = 0): Promise<LogRecord[]> => {
  const all: LogRecord[] = []
  for (;;) {
    const some = await log.read(shard, from + all.length, 100)
    if (some.length === 0) return all
    all.push(...some)
  }
}

/**
 * What every implementation of EventSink and ShardLog must do. Run it with `shardLogCompliance('name', open)`; `skip` is the
 * reason why it cannot run on this machine.
 */
export const shardLogCompliance = (name: string, open: () => Promise<LogUnderTest>, skip: string | false = false): void => {
  describe(`${name} keeps the contract of EventSink and ShardLog`, { skip }, () => {
    let subject: LogUnderTest
    let log: EventSink & ShardLog
    let lastShard = -1
    const shard = (): number => ++lastShard
    before(async () => {
      subject = await open()
      log = subject.log
    })
    after(() => subject.close())

    test('offsets start at 0, count up without gaps per shard, and come back in the order of the records', async () => {
      const [a, b] = [shard(), shard()]
      assert.deepEqual(await log.append([record(a, '1'), record(b, '1'), record(a, '2')]), [0, 0, 1])
      assert.deepEqual(await log.append([record(a, '3')]), [2])
    })

    test('concurrent appends never share or skip an offset', async () => {
      const a = shard()
      const offsets = await Promise.all(Array.from({ length: 50 }, (_, i) => log.append([record(a, `x${i}`), record(a, `y${i}`)])))
      assert.deepEqual(
        offsets.flat().sort((x, y) => x - y),
        Array.from({ length: 100 }, (_, i) => i),
      )
      for (const [first, second] of offsets) assert.equal(second, first! + 1)
    })

    test('records come back byte for byte, with their arrival time, in order', async () => {
      const a = shard()
      const value = Buffer.from(Array.from({ length: 1_000 }, (_, i) => i & 255))
      await log.append([
        { shard: a, ingestTimeMs: 1_700_000_000_123, key: text('c:1'), value },
        { ...record(a, 'é\u0000'), value: Buffer.alloc(0) },
      ])
      const [first, second] = await readAll(log, a)
      assert.deepEqual([first!.offset, second!.offset, first!.ingestTimeMs], [0, 1, 1_700_000_000_123])
      assert.ok(Buffer.from(first!.value).equals(value) && Buffer.from(second!.key).equals(text('e:é\u0000')))
      assert.equal(second!.value.length, 0)
    })

    test('read respects start and count, and is empty at the end', async () => {
      const a = shard()
      await log.append(Array.from({ length: 10 }, (_, i) => record(a, String(i))))
      assert.deepEqual(
        (await log.read(a, 3, 4)).map(({ offset }) => offset),
        [3, 4, 5, 6],
      )
      assert.deepEqual(await log.read(a, 10, 5), [])
    })

    test('a shard that nobody has processed starts at 0 with no state', async () => {
      const held = await log.acquire(shard())
      assert.equal(held.nextOffset, 0)
      assert.equal(held.meta.size, 0)
    })

    test('a commit is there as a whole for the next owner: position, named state, slots, outbox', async () => {
      const a = shard()
      await log.append([record(a, '1'), record(a, '2'), record(a, '3')])
      await log.acquire(a)
      await log.commit([
        commitTo(a, 2, { slots: [slot(1, 7)], meta: [{ name: 'tenant/release', bytes: text('r1') }], scored: block(0, 1, 9) }),
      ])
      await log.commit([
        commitTo(a, 3, {
          slots: [slot(1, 8, 100), slot(2, 5)],
          meta: [{ name: 'tenant/release', bytes: text('r2') }],
          scored: block(2, 2, 10),
        }),
      ])
      const held = await log.acquire(a)
      assert.equal(held.nextOffset, 3)
      assert.equal(text('r2').compare(held.meta.get('tenant/release') ?? text('')), 0)
      const into = new Uint8Array(4_096)
      assert.equal(log.load(a, slot(1, 0).key, into), 100)
      assert.ok(into.subarray(0, 100).every((byte) => byte === 8))
      assert.equal(log.load(a, slot(2, 0).key, into), 3_000)
      assert.equal(log.load(a, slot(3, 0).key, into), -1)
      const { scored } = await subject.outbox(a)
      assert.deepEqual(
        scored.map(({ firstOffset, lastOffset, bytes }) => [firstOffset, lastOffset, bytes[0]]),
        [
          [0, 1, 9],
          [2, 2, 10],
        ],
      )
    })

    test('alerts, capsules and dead letters arrive in order and unchanged', async () => {
      const a = shard()
      await log.append([record(a, '1'), record(a, '2')])
      await log.acquire(a)
      const alert = alertOf({ shard: a, offset: 0, identity: 'agent "ä" \u2028', chain: 'c', alert: true }, 1)
      const letter: DeadLetter = {
        v: 1,
        stage: 'decode',
        code: 'JSON_SYNTAX',
        field: '',
        message: 'x',
        tenant: 't',
        topic: 'events',
        shard: a,
        offset: 1,
        ingestTime: 1,
        payload: '',
      }
      await log.commit([commitTo(a, 2, { alerts: [alert, { ...alert, revision: 2, activity: 'update' }], deadLetters: [letter] })])
      const { alerts, deadLetters } = await subject.outbox(a)
      assert.deepEqual(alerts, [alert, { ...alert, revision: 2, activity: 'update' }])
      assert.deepEqual(deadLetters, [letter])
    })

    test('one commit of several shards moves all of them', async () => {
      const [a, b] = [shard(), shard()]
      await log.append([record(a, '1'), record(b, '1'), record(b, '2')])
      await log.acquire(a)
      await log.acquire(b)
      await log.commit([commitTo(a, 1), commitTo(b, 2)])
      assert.deepEqual([(await log.acquire(a)).nextOffset, (await log.acquire(b)).nextOffset], [1, 2])
    })

    test('a commit that does not continue the last one is refused and changes nothing', async () => {
      const a = shard()
      await log.append([record(a, '1'), record(a, '2')])
      await log.acquire(a)
      await log.commit([commitTo(a, 2, { slots: [slot(1, 1)], scored: block(0, 1, 1) })])
      await assert.rejects(async () => log.commit([commitTo(a, 1, { slots: [slot(1, 2)], scored: block(0, 0, 2) })]))
      await assert.rejects(async () => log.commit([commitTo(a, 2, { slots: [slot(1, 2)], scored: block(0, 1, 2) })]))
      const into = new Uint8Array(4_096)
      assert.equal((await log.acquire(a)).nextOffset, 2)
      log.load(a, slot(1, 0).key, into)
      assert.equal(into[0], 1)
      assert.equal((await subject.outbox(a)).scored.length, 1)
    })

    test('chunks of one shard in one commit are stored in their order', async () => {
      const a = shard()
      await log.append([record(a, '1'), record(a, '2')])
      await log.acquire(a)
      await log.commit([
        commitTo(a, 1, { slots: [slot(1, 1)], scored: block(0, 0, 1) }),
        commitTo(a, 2, { slots: [slot(1, 2)], scored: block(1, 1, 2) }),
      ])
      const into = new Uint8Array(4_096)
      assert.equal((await log.acquire(a)).nextOffset, 2)
      assert.equal(log.load(a, slot(1, 0).key, into) && into[0], 2)
      assert.deepEqual(
        (await subject.outbox(a)).scored.map(({ firstOffset }) => firstOffset),
        [0, 1],
      )
    })

    test('a chunk of several megabytes is stored as a whole and read back by the next owner', async () => {
      const a = shard()
      await log.append([record(a, '1')])
      await log.acquire(a)
      const slots = Array.from({ length: 1_000 }, (_, i) => slot(i, i & 255))
      const rows = { ...block(0, 0, 7)!, bytes: Buffer.alloc(2_000_000, 7) }
      await log.commit([commitTo(a, 1, { slots, scored: rows })])
      assert.equal((await log.acquire(a)).nextOffset, 1)
      const into = new Uint8Array(4_096)
      for (const { key, bytes } of slots) {
        assert.equal(log.load(a, key, into), bytes.length)
        assert.ok(into[0] === bytes[0] && into[bytes.length - 1] === bytes[0])
      }
      const { scored } = await subject.outbox(a)
      assert.equal(scored.length, 1)
      assert.ok(rows.bytes.equals(scored[0]!.bytes))
    })

    test('slots of the same key in different shards are different slots', async () => {
      const [a, b] = [shard(), shard()]
      await log.append([record(a, '1'), record(b, '1')])
      await log.acquire(a)
      await log.acquire(b)
      await log.commit([commitTo(a, 1, { slots: [slot(1, 1)] }), commitTo(b, 1, { slots: [slot(1, 2)] })])
      const into = new Uint8Array(4_096)
      assert.equal(log.load(a, slot(1, 0).key, into) && into[0], 1)
      assert.equal(log.load(b, slot(1, 0).key, into) && into[0], 2)
    })

    test('what was answered survives: another owner sees records, position, state and outbox', async () => {
      const a = shard()
      await log.append([record(a, '1'), record(a, '2')])
      await log.acquire(a)
      await log.commit([commitTo(a, 1, { slots: [slot(9, 9)], meta: [{ name: 'm', bytes: text('v') }], scored: block(0, 0, 3) })])
      log = await subject.reopen()
      const held = await log.acquire(a)
      assert.equal(held.nextOffset, 1)
      assert.equal(Buffer.from(held.meta.get('m') ?? []).toString(), 'v')
      assert.equal(log.load(a, slot(9, 0).key, new Uint8Array(4_096)), 3_000)
      assert.deepEqual(
        (await readAll(log, a)).map(({ offset }) => offset),
        [0, 1],
      )
      assert.deepEqual(await log.append([record(a, '3')]), [2])
      assert.equal((await subject.outbox(a)).scored.length, 1)
    })

    test('an owner that another has replaced cannot commit, and what it tried leaves no trace', async () => {
      const a = shard()
      await log.append([record(a, '1'), record(a, '2')])
      await log.acquire(a)
      await log.commit([commitTo(a, 1, { slots: [slot(1, 1)], scored: block(0, 0, 1) })])
      const former = log
      log = await subject.reopen()
      await log.acquire(a)
      const late = commitTo(a, 2, { slots: [slot(1, 66)], meta: [{ name: 'm', bytes: text('late') }], scored: block(1, 1, 66) })
      await assert.rejects(async () => former.commit([late]))
      await log.commit([commitTo(a, 2, { slots: [slot(1, 2)], scored: block(1, 1, 2) })])
      await assert.rejects(async () => former.commit([late]))
      const held = await log.acquire(a)
      const into = new Uint8Array(4_096)
      assert.deepEqual([held.nextOffset, held.meta.size], [2, 0])
      assert.equal(log.load(a, slot(1, 0).key, into) && into[0], 2)
      assert.deepEqual(
        (await subject.outbox(a)).scored.map(({ bytes }) => bytes[0]),
        [1, 2],
      )
    })
  })
}
