import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openCluster } from './config.ts'

test('commands of operators take the file of any process of the deployment, and refuse what none of them knows', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-cluster-config-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const file = (lines: readonly string[]): string => {
    const path = join(dir, 'options.yaml')
    writeFileSync(path, ['kafkaBrokers: [localhost:9092]', ...lines].join('\n'))
    return path
  }
  const others = ['httpPort: 7080', 'webhookUrl: https://alerts.example.com', 'snapshotSeconds: 5', 'blockMb: 2', 'kafkaLanes: 4']
  const { prefix, shards } = openCluster({ config: file([...others, 'kafkaPrefix: mine', 'shards: 8']) })
  assert.deepEqual([prefix, shards], ['mine', 8])
  const wrong = file([...others, 'kafkaPrefx: mine'])
  assert.throws(() => openCluster({ config: wrong }), {
    code: 'CONFIG_INVALID',
    message: /kafkaPrefx: unknown option; did you mean kafkaPrefix\?/,
  })
})
