import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { connect, type Engine, migrate, startEngine } from '@plumbline/adapters/clickhouse'
import { openEmbeddedLog } from '@plumbline/adapters/lmdb'
import type { ControlRecord } from '@plumbline/schemas'
import { createReleaseStore, signingKeyIn, type TrainerPoint } from '../../services/trainer/src/index.ts'
import type { TrainerPlan } from './trainer-child.testkit.ts'

const CHILD = fileURLToPath(new URL('./trainer-child.testkit.ts', import.meta.url))
const SHARDS = 4
const base = mkdtempSync(join(tmpdir(), 'plumbline-trainer-'))
let engine: Engine

before(async () => {
  engine = await startEngine({ dir: join(base, 'engine') })
})
after(async () => {
  await engine.stop()
  rmSync(base, { recursive: true, force: true })
})

const clearTables = async (): Promise<void> => {
  const owner = connect({ url: engine.url, user: 'owner', password: engine.passwords.owner })
  await owner.command('DROP DATABASE IF EXISTS plumbline')
  await migrate(owner)
  await owner.close()
}

const run = (
  plan: TrainerPlan,
): Promise<{ readonly lines: string[]; readonly signal: string | null; readonly code: number | null; readonly errors: string }> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', CHILD, JSON.stringify(plan)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let out = ''
    let errors = ''
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
    child.once('close', (code, signal) => resolve({ lines: out.split('\n').filter((line) => line !== ''), signal, code, errors }))
  })

/** Release control records in the log, by shard. */
const announced = async (dir: string): Promise<string[][]> => {
  const log = await openEmbeddedLog({ dir, shards: SHARDS })
  const found: string[][] = []
  for (let shard = 0; shard < SHARDS; shard++) {
    const records = await log.read(shard, 0, 100_000)
    const controls = records
      .filter(({ key }) => key[0] === 'c'.charCodeAt(0))
      .map(({ value }) => JSON.parse(Buffer.from(value).toString()) as ControlRecord)
    found.push(controls.map((control) => (control.type === 'release' ? `${control.releaseId} ${control.sha256}` : control.type)))
  }
  const key = signingKeyIn(join(dir, 'signing.key'))
  for (const { id, sha256 } of createReleaseStore(log.kv, () => [key.publicKey]).list('default')) {
    assert.ok(createReleaseStore(log.kv, () => [key.publicKey]).artifact(id, sha256), 'the artifact is there and verifies')
    const other = signingKeyIn(join(base, 'other.key'))
    assert.throws(() => createReleaseStore(log.kv, () => [other.publicKey]).artifact(id, sha256), { code: 'RELEASE_KEY_UNKNOWN' })
  }
  await log.close()
  return found
}

const POINTS: readonly (TrainerPoint | null)[] = [null, 'trainer:training', 'trainer:trained', 'trainer:kept', 'trainer:announced']

for (const point of POINTS) {
  test(`killed at ${point ?? 'no point'}: one model, announced once to every shard`, async () => {
    await clearTables()
    const plan: TrainerPlan = { dir: join(base, String(point)), point, url: engine.url, passwords: engine.passwords }
    if (point !== null) {
      const killed = await run(plan)
      assert.deepEqual([killed.lines, killed.signal], [[`fired ${point}`], 'SIGKILL'], killed.errors)
    }
    const finished = await run({ ...plan, point: null })
    assert.equal(finished.code, 0, finished.errors)
    const released = finished.lines.filter((line) => line.startsWith('released '))
    assert.deepEqual(
      released.map((line) => [line.split(' ')[1], line.split(' ')[3]]),
      [
        ['default-r1', 'false'],
        ['default-r2', 'true'],
      ],
    )
    assert.equal(finished.lines.at(-1), 'in force default-r2 true')
    const expected = released.map((line) => line.split(' ').slice(1, 3).join(' '))
    for (const shard of await announced(plan.dir)) assert.deepEqual(shard, expected)
  })
}
