import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { connect, migrate, type Store, startEngine } from '@plumbline/adapters/clickhouse'
import { openEmbeddedLog } from '@plumbline/adapters/lmdb'
import { createRecorder } from '@plumbline/recorder'
import { createLogger } from '@plumbline/runtime'
import { alertOf, until } from '../alerting.testkit.ts'
import { createRemoteRecording } from './remote-recording.ts'

const logger = createLogger({ name: 'test', level: 'silent' })

/** A log, an engine with its tables, and a recorder that is not started: what another process would be. */
const rigFor = async (t: TestContext) => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-recording-'))
  const log = await openEmbeddedLog({ dir: join(dir, 'log'), shards: 2 })
  const engine = await startEngine({ dir: join(dir, 'clickhouse') })
  const stores: Store[] = []
  const as = (user: 'owner' | 'recorder' | 'reader'): Store => {
    const store = connect({ url: engine.url, user, password: engine.passwords[user] })
    stores.push(store)
    return store
  }
  const [owner, writer, reader] = [as('owner'), as('recorder'), as('reader')]
  await migrate(owner)
  const recorder = createRecorder({ log, store: () => writer, ownerStore: () => owner, lingerMs: 1, owner: 'one of several' })
  t.after(async () => {
    await recorder.stop()
    for (const store of stores) await store.close()
    await engine.stop()
    await log.close()
    rmSync(dir, { recursive: true, force: true })
  })
  return { log, reader, recorder }
}

test('what a recorder elsewhere has stored is known from ClickHouse, and what it has not keeps whoever waits', async (t) => {
  const { log, reader, recorder } = await rigFor(t)
  let now = 0
  const recording = createRemoteRecording({ log, reader: () => reader, logger, now: () => now })
  t.after(() => recording.stop())
  await recording.start()
  await recording.drained()
  assert.deepEqual(recording.state(), { problem: null, lagRows: 0, rows: null })
  await log.publish('alerts', [alertOf(1), alertOf(2), alertOf(3, 'other')])
  assert.equal(recording.state().lagRows, 3)
  const order: string[] = []
  const waiting = recording.drained().then(() => order.push('drained'))
  now += 61_000
  assert.equal(recording.state().problem, 'nothing was stored for 61 s: is a recorder running?')
  order.push('recorder')
  await recorder.start()
  recorder.take([0])
  await waiting
  assert.deepEqual(order, ['recorder', 'drained'])
  assert.deepEqual(recording.state(), { problem: null, lagRows: 0, rows: null })
  const count = async (): Promise<number> => (await reader.rows<{ n: number }>('SELECT count() AS n FROM plumbline.alerts'))[0]?.n ?? 0
  assert.equal(await count(), 3)
  const { done } = await recording.erase({ tenant: 'other' })
  await done
  assert.equal(await count(), 2)
})

test('while ClickHouse cannot be asked that is the problem, and afterwards it is none', async (t) => {
  const { log, reader } = await rigFor(t)
  let away = true
  const ask = (): Store => {
    if (away) throw new Error('ClickHouse is not there.')
    return reader
  }
  const recording = createRemoteRecording({ log, reader: ask, logger })
  t.after(() => recording.stop())
  await recording.start()
  await until(async () => recording.state().problem === 'ClickHouse is not there.')
  const waiting = recording.drained()
  away = false
  await waiting
  assert.equal(recording.state().problem, null)
})
