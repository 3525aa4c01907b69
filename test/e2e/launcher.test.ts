import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { DATA_LAYOUT, findInstance } from '@plumbline/runtime'
import { freePort, until } from './instance.testkit.ts'

const LAUNCHER = fileURLToPath(new URL('../../scripts/plumbline.mjs', import.meta.url))

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test('what a launcher started stops in order when the launcher is killed without a chance to say so', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-launcher-'))
  const env = { ...process.env, PLUMBLINE_HTTP_PORT: String(await freePort()), PLUMBLINE_DATA_DIR: dir }
  const launcher = spawn(process.execPath, [LAUNCHER, 'up', '--no-open'], { stdio: 'ignore', env })
  const ended = once(launcher, 'exit')
  const { pid } = await until('the instance', 60_000, async () => findInstance(dir))
  t.after(() => {
    if (isAlive(pid)) process.kill(pid, 'SIGKILL')
    rmSync(dir, { recursive: true, force: true })
  })
  assert.notEqual(pid, launcher.pid)
  launcher.kill('SIGKILL')
  assert.deepEqual((await ended)[1], 'SIGKILL')
  await until('the end of the instance', 30_000, async () => !isAlive(pid))
  assert.ok(!existsSync(join(dir, DATA_LAYOUT.instance)), 'it has signed off from its data folder')
})
