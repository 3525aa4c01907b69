import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { showsPage } from './page.mjs'

const SCRIPT = fileURLToPath(new URL('plumbline.mjs', import.meta.url))

test('the page is built for the commands that show it, wherever other options stand', () => {
  for (const args of [['up'], ['front', '--shards', '8'], ['--json', 'front']]) assert.equal(showsPage(args), true, args.join(' '))
  for (const args of [[], ['worker'], ['query', 'front'], ['--help']]) assert.equal(showsPage(args), false, args.join(' '))
})

const isThere = (pid) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Resolves once `look` finds something, fails when the process ended before. */
const found = async (ended, look) => {
  for (;;) {
    const result = look()
    if (result !== undefined) return result
    const code = await Promise.race([ended, new Promise((resolve) => setTimeout(() => resolve('waiting'), 50))])
    assert.equal(code, 'waiting', 'the process ended')
  }
}

const pidIn = (dir) => {
  try {
    return JSON.parse(readFileSync(join(dir, 'instance.json'), 'utf8')).pid
  } catch {
    return undefined
  }
}

for (const signal of ['SIGTERM', 'SIGINT']) {
  test(`${signal} of node scripts/plumbline.mjs stops the process behind it, and it ends with that one's code`, {
    timeout: 120_000,
  }, async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'plumbline-script-'))
    const options = ['up', '--no-demo', '--http-port', '0', '--data-dir', dir, '--policy-file', join(dir, 'none.yaml')]
    // No engine: what is tested is how processes end.
    const env = { ...process.env, CLICKHOUSE_URL: 'http://127.0.0.1:9' }
    const child = spawn(process.execPath, [SCRIPT, ...options], { stdio: 'ignore', env })
    const ended = new Promise((resolve) => child.on('close', resolve))
    t.after(() => {
      child.kill('SIGKILL')
      const left = pidIn(dir)
      if (left !== undefined && isThere(left)) process.kill(left, 'SIGKILL')
      rmSync(dir, { recursive: true, force: true })
    })
    const pid = await found(ended, () => pidIn(dir))
    assert.notEqual(pid, child.pid)
    child.kill(signal)
    assert.equal(await ended, 0)
    assert.equal(isThere(pid), false, 'nothing is left behind')
  })
}
