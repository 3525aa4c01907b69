import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { DATA_LAYOUT, findInstance, type InstanceFile, removeInstanceFile, writeInstanceFile } from './instance-file.ts'

const instance: InstanceFile = { v: 1, pid: process.pid, startedAt: 1, url: 'http://127.0.0.1:7070', token: 't', store: null }

test('a running instance is found; one that is gone, or a broken file, is not', () => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-instance-'))
  try {
    assert.equal(findInstance(dir), undefined)
    writeInstanceFile(dir, instance)
    assert.deepEqual(findInstance(dir), instance)
    if (process.platform !== 'win32') assert.equal(statSync(join(dir, DATA_LAYOUT.instance)).mode & 0o777, 0o600)
    const { pid } = spawnSync(process.execPath, ['-e', ''])
    writeInstanceFile(dir, { ...instance, pid })
    assert.equal(findInstance(dir), undefined)
    writeFileSync(join(dir, DATA_LAYOUT.instance), '{"v":1')
    assert.equal(findInstance(dir), undefined)
    removeInstanceFile(dir)
    removeInstanceFile(dir)
  } finally {
    rmSync(dir, { recursive: true })
  }
})
