import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ConfigError, loadConfig } from '@plumbline/runtime'
import fc from 'fast-check'
import { z } from 'zod'

const Schema = z.strictObject({
  name: z.string().default('x'),
  token: z.string().optional().meta({ secret: true }),
  http: z.strictObject({ port: z.number().int().min(0).max(65_535).default(7070) }),
  tags: z.array(z.string()).default([]),
})

test('any file, variable and flag gives a configuration or a list of problems, and no prototype is touched', () => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-config-fuzz-'))
  const file = join(dir, 'c.yaml')
  const yaml = fc.oneof(
    fc.string({ maxLength: 60 }),
    fc.jsonValue({ maxDepth: 4 }).map((v) => JSON.stringify(v)),
    fc.constantFrom(
      'http: {port: !!js/function "x"}',
      '__proto__: {polluted: 1}',
      'http: &a {port: *a}',
      'name: !!binary aGk=',
      '? [a]: b',
      '%YAML 9',
      '- '.repeat(2000),
      `{`.repeat(500),
    ),
    fc
      .record({ name: fc.anything(), http: fc.anything(), tags: fc.anything() })
      .map((v) => JSON.stringify(v, (_, x: unknown) => (typeof x === 'bigint' ? 1 : x)) ?? ''),
  )
  try {
    fc.assert(
      fc.property(yaml, fc.string(), fc.anything(), (text, variable, flag) => {
        writeFileSync(file, text)
        try {
          const { config } = loadConfig(Schema, { file, env: { PLUMBLINE_HTTP_PORT: variable }, flags: { name: flag } })
          assert.ok(Number.isInteger(config.http.port))
        } catch (error) {
          assert.ok(error instanceof ConfigError, String(error))
        }
        assert.equal(({} as { polluted?: unknown }).polluted, undefined)
      }),
      { seed: 61, numRuns: 600 },
    )
  } finally {
    rmSync(dir, { recursive: true })
  }
})
