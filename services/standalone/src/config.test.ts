import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError, printConfig } from '@plumbline/runtime'
import { loadStandaloneConfig } from './config.ts'

test('fixed names of the environment', () => {
  const { config } = loadStandaloneConfig({
    env: {
      PLUMBLINE_HTTP_PORT: '7171',
      PLUMBLINE_DATA_DIR: 'elsewhere',
      PLUMBLINE_TOKEN: 'a-token-of-some-length',
      CLICKHOUSE_URL: 'http://user:secret@host:8123',
      PLUMBLINE_DEMO: 'false',
      PLUMBLINE_SHARED_DATA: 'not ours',
    },
  })
  assert.deepEqual(
    [config.httpPort, config.dataDir, config.token, config.clickhouseUrl, config.demo],
    [7171, 'elsewhere', 'a-token-of-some-length', 'http://user:secret@host:8123', false],
  )
})

test('printed without secrets', () => {
  const loaded = loadStandaloneConfig({
    env: {
      PLUMBLINE_TOKEN: 'a-token-of-some-length',
      CLICKHOUSE_URL: 'http://user:pass-word@host:8123',
      PLUMBLINE_WEBHOOK_URL: 'https://hooks.example.com/T0/key',
    },
  })
  const text = printConfig(loaded)
  for (const secret of ['a-token-of-some-length', 'pass-word', 'hooks.example.com']) assert.ok(!text.includes(secret), secret)
  assert.match(text, /host +127\.0\.0\.1/)
})

test('a wrong name is refused with the right one', () => {
  assert.throws(
    () => loadStandaloneConfig({ env: { PLUMBLINE_HTTP_PROT: '7071' } }),
    (error) => error instanceof ConfigError && /did you mean PLUMBLINE_HTTP_PORT/.test(error.message),
  )
})
