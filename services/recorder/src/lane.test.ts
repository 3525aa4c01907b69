import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AlertBudget } from '@plumbline/adapters/siem'
import type { Store } from '@plumbline/adapters/clickhouse'
import type { OutboxEntry } from '@plumbline/schemas'
import { alertFor } from '../../../packages/adapters/src/siem/testing.ts'
import { createLaneRecorder, type LaneContext } from './lane.ts'

type Written = readonly (readonly [string, Uint8Array | null])[]

/** A compacted topic of values, and processes with a copy each that may stand still. */
const sharedValues = () => {
  const topic: Written[] = []
  const openCopy = () => {
    const copy = new Map<string, Uint8Array>()
    let at = 0
    let frozen = false
    const catchUp = (): void => {
      for (const [name, bytes] of topic.slice(at).flat()) {
        if (bytes === null) copy.delete(name)
        else copy.set(name, bytes)
      }
      at = topic.length
    }
    const now = (): Map<string, Uint8Array> => {
      if (!frozen) catchUp()
      return copy
    }
    return {
      freeze: () => {
        catchUp()
        frozen = true
      },
      get: (name: string) => now().get(name),
      list: (prefix: string) => [...now().keys()].filter((name) => name.startsWith(prefix)),
      // Resolves when the own copy has it, and with it all that was put before.
      put: async (values: Readonly<Record<string, Uint8Array | null>>) => {
        topic.push(Object.entries(values))
        frozen = false
        catchUp()
      },
    }
  }
  return { openCopy }
}

const ALERTS = Array.from({ length: 9 }, (_, n) => alertFor(n, { severity: 'high' }))

/** Lane 0 of alerts, one alert a block, with a budget of three. */
const bench = () => {
  const { openCopy } = sharedValues()
  const told: string[] = []
  const at = { there: 0, position: 0 }
  const insert: Store['insert'] = async ({ table, bytes }) => {
    for (const part of [bytes].flat() as Uint8Array[]) {
      const row = JSON.parse(Buffer.from(part).toString()) as Record<string, unknown>
      if (table === 'recorder_positions') at.position = Math.max(at.position, Number(row['sequence']))
      else told.push(`${Number(String(row['id']).slice(-2))} ${String(row['delivery'])}`)
    }
  }
  const rows = async () => (at.position === 0 ? [] : [{ topic: 'alerts', lane: 0, sequence: at.position }])
  const store = { database: 'd', rows, insert } as unknown as Store
  const entryAt = (sequence: number): OutboxEntry => ({
    topic: 'alerts',
    sequence,
    shard: 0,
    firstOffset: 0,
    lastOffset: 0,
    rows: 1,
    schemaVersion: 1,
    payload: Buffer.from(JSON.stringify(ALERTS[sequence - 1])),
  })
  const recorder = (owner: string | null, kv = openCopy(), beforeRead: (after: number) => Promise<void> = async () => {}) => {
    const outbox = {
      async read(_topic: string, after: number) {
        await beforeRead(after)
        return after < at.there ? [entryAt(after + 1)] : []
      },
      passed: (_topic: string, after: number) => after,
      advance: async () => {},
    }
    const context = {
      log: { id: 'x', publish: async () => {}, kv, outbox },
      store: () => store,
      consumer: 'recorder',
      blockBytes: 1,
      onPoint: () => {},
      onRefused: () => assert.fail('no row is refused'),
      owner,
      makeDecider: (state: unknown) => new AlertBudget(() => 3, state as never),
    } as unknown as LaneContext
    return createLaneRecorder(context, 'alerts', 0)
  }
  return { recorder, openCopy, told, at }
}

const truth = (count: number): string[] => {
  const budget = new AlertBudget(() => 3)
  return ALERTS.slice(0, count).map((alert, n) => `${n} ${budget.decide(alert)}`)
}

test('a recorder that was paused before it writes down a block writes over nothing that the next owner goes on from', async () => {
  const { recorder, openCopy, told, at } = bench()
  const gate = Promise.withResolvers<void>()
  const copy = openCopy()
  const a = recorder('a', copy, async (after) => {
    if (after !== 1) return
    copy.freeze()
    await gate.promise
  })
  at.there = 2
  await a.resume()
  await a.step()
  const late = assert.rejects(a.step(), { code: 'LANE_LOST' })
  const b = recorder('b')
  await b.resume()
  at.there = 5
  while ((await b.step()) > 0);
  gate.resolve()
  await late
  const c = recorder('c')
  await c.resume()
  at.there = 8
  while ((await c.step()) > 0);
  assert.deepEqual(told, truth(8))
  await assert.rejects(
    b.step().then(() => b.resume()),
    { code: 'LANE_LOST' },
    'it does not take the lane back unasked',
  )
})

test('what owners decided is passed on through any number of them, also by those who stored nothing, and leaves one key', async () => {
  const { recorder, openCopy, told, at } = bench()
  const alone = recorder(null)
  at.there = 1
  await alone.resume()
  await alone.step()
  for (const owner of ['a', 'b', 'a', 'c']) {
    const next = recorder(owner)
    await next.resume()
    if (owner === 'c') at.there = 6
    while ((await next.step()) > 0);
  }
  assert.deepEqual(told, truth(6))
  assert.equal(openCopy().list('recorder:intent:').length, 1)
})

test('behind a gap that was accepted the budget counts on', async () => {
  const { recorder, told, at } = bench()
  const a = recorder('a')
  at.there = 2
  await a.resume()
  while ((await a.step()) > 0);
  await a.skipTo(5)
  at.there = 7
  const b = recorder('b')
  await b.resume()
  while ((await b.step()) > 0);
  assert.deepEqual(told, ['0 delivered', '1 delivered', '4 delivered', '5 held', '6 held'])
})
