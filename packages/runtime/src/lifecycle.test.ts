import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { PlumblineError } from '@plumbline/schemas'
import { createHealth, createLifecycle, type Part, stopOnSignals } from './index.ts'

const recorder = () => {
  const calls: string[] = []
  const part = (name: string, override: Partial<Part> = {}): Part => ({
    name,
    start: () => void calls.push(`start ${name}`),
    stop: () => void calls.push(`stop ${name}`),
    ...override,
  })
  return { calls, part }
}

test('starts in order, stops in reverse, once', async () => {
  const { calls, part } = recorder()
  const life = createLifecycle([part('log'), part('worker'), part('http')])
  await Promise.all([life.start(), life.start()])
  assert.equal(life.state, 'started')
  await Promise.all([life.stop(), life.stop()])
  assert.deepEqual(calls, ['start log', 'start worker', 'start http', 'stop http', 'stop worker', 'stop log'])
  assert.equal(life.state, 'stopped')
})

test('a partial start is rolled back and its error says which part', async () => {
  const { calls, part } = recorder()
  const life = createLifecycle([
    part('log'),
    part('worker'),
    part('http', { start: () => Promise.reject(new Error('port taken')) }),
    part('page'),
  ])
  await assert.rejects(life.start(), { code: 'PART_START_FAILED', message: 'http did not start: port taken' })
  assert.deepEqual(calls, ['start log', 'start worker', 'stop http', 'stop worker', 'stop log'], 'what http opened is closed as well')
})

test('what a part says in a coded error is not logged on top; what nobody foresaw is', async () => {
  for (const [error, logged] of [
    [new PlumblineError('HTTP_PORT_TAKEN', 'Port 7070 is taken.'), 0],
    [new Error('undefined is not a function'), 1],
  ] as const) {
    const errors: unknown[] = []
    const { part } = recorder()
    const life = createLifecycle([part('http', { start: () => Promise.reject(error) })], {
      info: () => {},
      error: (...e: unknown[]) => errors.push(e),
    })
    await assert.rejects(life.start(), { code: 'PART_START_FAILED', cause: error })
    assert.equal(errors.length, logged, error.message)
  }
})

test('a part that fails or hangs while stopping does not keep the others up', async () => {
  const { calls, part } = recorder()
  const life = createLifecycle([
    part('log'),
    part('stuck', { stop: () => new Promise(() => undefined), stopTimeoutMs: 20 }),
    part('broken', { stop: () => Promise.reject(new Error('disk')) }),
  ])
  await life.start()
  const errors = await life.stop()
  assert.deepEqual(
    errors.map((e) => e.message),
    ['broken did not stop: disk', 'stuck did not stop: still running after 20 ms'],
  )
  assert.equal(calls.at(-1), 'stop log')
})

test('a stop during a start finishes the current part, then rolls back', async () => {
  const { calls, part } = recorder()
  let release: () => void = () => undefined
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const life = createLifecycle([part('log', { start: () => gate }), part('http')])
  const started = life.start()
  const stopped = life.stop()
  release()
  await assert.rejects(started, { code: 'START_INTERRUPTED' })
  await stopped
  assert.deepEqual(calls, ['stop log'])
})

test('a signal stops cleanly and ends the process with 0, a second one with 1', async () => {
  const { calls, part } = recorder()
  const life = createLifecycle([part('log')])
  await life.start()
  const codes: number[] = []
  const off = stopOnSignals(life, { signals: ['SIGHUP'], exit: (code) => void codes.push(code) })
  process.kill(process.pid, 'SIGHUP')
  while (codes.length === 0) await delay(1)
  process.kill(process.pid, 'SIGHUP')
  while (codes.length === 1) await delay(1)
  off()
  assert.deepEqual(codes, [0, 1])
  assert.deepEqual(calls, ['start log', 'stop log'])
})

test('health: ready is the sum of all checks, live only of those that say so; slow and throwing checks are not ok', async () => {
  const health = createHealth(20)
  assert.deepEqual(await health.ready(), { ok: true, checks: {} })
  health.register('loop', () => ({ ok: true }), { live: true })
  const remove = health.register('store', () => Promise.reject(new Error('down')))
  health.register('slow', () => new Promise(() => undefined))
  const ready = await health.ready()
  assert.equal(ready.ok, false)
  assert.deepEqual(ready.checks['store'], { ok: false, detail: 'down' })
  assert.equal(ready.checks['slow']?.ok, false)
  assert.deepEqual(await health.live(), { ok: true, checks: { loop: { ok: true } } })
  remove()
  assert.equal((await health.ready()).checks['store'], undefined)
})
