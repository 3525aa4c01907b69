import assert from 'node:assert/strict'
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { after, describe, test } from 'node:test'
import { ROOT, read } from './compose.ts'

/** The image itself, where an engine and the image that it is made from are there. Nothing is pulled. */

const docker = (args: readonly string[], timeout = 60_000): SpawnSyncReturns<string> =>
  spawnSync('docker', args, { encoding: 'utf8', timeout, env: { ...process.env, DOCKER_BUILDKIT: '1' } })

const base = /^ARG NODE_IMAGE=(.+)$/m.exec(read('Dockerfile'))?.[1] ?? ''

const reason = (): false | string => {
  if (docker(['version', '--format', '{{.Server.Version}}'], 10_000).status !== 0) return 'no Docker engine answers'
  if (docker(['image', 'inspect', base], 10_000).status !== 0) return `the engine has no image ${base}`
  return false
}

describe('the image', { skip: reason() }, () => {
  const tag = `plumbline:test-${randomUUID().slice(0, 8)}`
  after(() => void docker(['image', 'rm', '--force', tag]))
  const run = (...args: string[]): SpawnSyncReturns<string> =>
    docker(['run', '--rm', '--network=none', '--read-only', '--cap-drop=ALL', '--security-opt=no-new-privileges', ...args])

  test('builds, and every process starts in it without root, capabilities or a file system to write to', () => {
    const { status, stderr } = docker(['build', '--network=host', '--tag', tag, ROOT], 570_000)
    assert.equal(status, 0, stderr.slice(-2_000))
    for (const command of ['migrate', 'front', 'worker', 'recorder']) {
      const help = run(tag, command, '--help')
      assert.equal(help.status, 0, help.stderr)
      assert.match(help.stdout, new RegExp(`Usage: plumbline ${command}`))
    }
    const { stdout } = run(
      '--entrypoint=sh',
      tag,
      '-c',
      'id -u; ls -A /data; find /app -name ".env*" -o -name "*.test.ts" -not -path "*/node_modules/*" | head -1',
    )
    assert.equal(stdout.trim(), '10001')
  })

  test('a wrong configuration ends a process with what is wrong, and the health check fails where nothing listens', () => {
    const worker = run('--env=PLUMBLINE_KAFKA_BROKERS=kafka', tag, 'worker')
    assert.notEqual(worker.status, 0)
    assert.match(worker.stderr, /PLUMBLINE_KAFKA_BROKERS: must be host:port/)
    const health = run('--entrypoint=node', tag, '/app/scripts/healthy.mjs', 'http://127.0.0.1:7071/health/ready')
    assert.deepEqual([health.status, health.stdout.trim()], [1, 'ECONNREFUSED'])
  })
})
