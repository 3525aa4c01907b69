import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shardsCheck } from './shards-check.ts'

test('shards of workers elsewhere are not scored, which keeps no front out of service; own ones are stopped', () => {
  const why = ['shard 3: no worker has it', 'shard 4: no worker has it']
  assert.deepEqual(shardsCheck(why, false), { ok: true, detail: '2 shards not scored: shard 3: no worker has it' })
  assert.deepEqual(shardsCheck(why.slice(1), true), { ok: false, detail: '1 shard stopped: shard 4: no worker has it' })
  assert.deepEqual(shardsCheck([], true), { ok: true })
})
