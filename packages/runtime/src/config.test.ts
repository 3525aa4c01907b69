import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import { ConfigError, configDocs, configFields, loadConfig, printConfig, redactedConfig } from './index.ts'

const Schema = z.strictObject({
  dataDir: z.string().default('./data').meta({ description: 'Folder for everything that is kept.' }),
  token: z.string().min(16).meta({ description: 'Bearer token of the door.', secret: true }),
  http: z
    .strictObject({
      port: z.number().int().min(0).max(65_535).default(7070).meta({ description: 'Port to listen on.', unit: 'TCP port' }),
      host: z.string().default('127.0.0.1'),
    })
    .default({ port: 7070, host: '127.0.0.1' }),
  log: z.strictObject({ level: z.enum(['info', 'debug']).default('info') }),
  demo: z.boolean().default(true),
  kafka: z.strictObject({ brokers: z.array(z.string()).optional().meta({ env: 'KAFKA_BROKERS', description: 'host:port list' }) }),
  webhook: z.url().optional().meta({ description: 'Where alerts are posted.' }),
})
const TOKEN = 'a-token-of-24-characters'

const inFolder = (run: (write: (name: string, text: string) => string) => void): void => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-config-'))
  try {
    run((name, text) => {
      const path = join(dir, name)
      writeFileSync(path, text)
      return path
    })
  } finally {
    rmSync(dir, { recursive: true })
  }
}

const problemsOf = (run: () => unknown): string[] => {
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    assert.equal(error.code, 'CONFIG_INVALID')
    assert.ok(!error.message.includes('hunter2'))
    return error.problems.map((p) => `${p.where}: ${p.message}`)
  }
  throw new Error('expected a ConfigError')
}

test('flags win over environment, that over the file, that over defaults', () => {
  inFolder((write) => {
    const file = write('c.yaml', `token: ${TOKEN}\nhttp:\n  port: 1\n  host: file\ndataDir: file\nlog: { level: debug }\n`)
    const loaded = loadConfig(Schema, {
      file,
      env: { PLUMBLINE_HTTP_PORT: '2', PLUMBLINE_DATA_DIR: 'env', HOME: 'x' },
      flags: { httpPort: '3', dataDir: undefined },
    })
    assert.deepEqual(loaded.config, {
      token: TOKEN,
      http: { port: 3, host: 'file' },
      dataDir: 'env',
      log: { level: 'debug' },
      demo: true,
      kafka: {},
    })
    assert.equal(loaded.origins.get('http.port'), 'flag')
    assert.equal(loaded.origins.get('dataDir'), 'environment')
    assert.equal(loaded.origins.get('http.host'), 'file')
    assert.equal(loaded.origins.get('demo'), 'default')
  })
})

test('JSON files, lists and booleans from the environment, empty variables as unset', () => {
  inFolder((write) => {
    const file = write('c.json', JSON.stringify({ token: TOKEN }))
    const { config } = loadConfig(Schema, { file, env: { KAFKA_BROKERS: 'a:1, b:2', PLUMBLINE_DEMO: 'no', PLUMBLINE_WEBHOOK: '' } })
    assert.deepEqual(config.kafka.brokers, ['a:1', 'b:2'])
    assert.equal(config.demo, false)
    assert.equal(config.webhook, undefined)
    assert.deepEqual(config.http, { port: 7070, host: '127.0.0.1' })
  })
})

test('unknown names are refused everywhere, all at once, with the nearest name', () => {
  inFolder((write) => {
    const file = write('c.yaml', `token: ${TOKEN}\nhttp: { prot: 1 }\nzzz: 1\n`)
    const problems = problemsOf(() =>
      loadConfig(Schema, {
        file,
        env: { PLUMBLINE_HTTP_PROT: '1', PLUMBLINE_OTHER: '1', PLUMBLINE_SHARED_DATA: 'of the benches' },
        flags: { dataDri: 'x' },
        ignoreEnv: ['PLUMBLINE_OTHER'],
      }),
    )
    assert.deepEqual(problems, [
      'http.prot: unknown option; did you mean http.port?',
      'zzz: unknown option',
      'PLUMBLINE_HTTP_PROT: unknown environment variable; did you mean PLUMBLINE_HTTP_PORT?',
      '--data-dri: unknown flag; did you mean data-dir?',
    ])
  })
})

test('a wrong value is reported where it was given, without a secret', () => {
  const problems = problemsOf(() =>
    loadConfig(Schema, { env: { PLUMBLINE_TOKEN: 'hunter2', PLUMBLINE_HTTP_PORT: '80x' }, flags: { logLevel: 'loud' } }),
  )
  assert.equal(problems.length, 3)
  assert.match(problems.join('\n'), /PLUMBLINE_TOKEN: /)
  assert.match(problems.join('\n'), /PLUMBLINE_HTTP_PORT: must be a whole number from 0 to 65,535/)
  assert.match(problems.join('\n'), /--log-level: must be one of info, debug/)
  assert.deepEqual(
    problemsOf(() => loadConfig(Schema)),
    ['token: is required: set --token, PLUMBLINE_TOKEN or token in the file'],
  )
})

test('a file that is missing, no mapping, or a YAML bomb is a problem, not a crash', () => {
  inFolder((write) => {
    const env = { PLUMBLINE_TOKEN: TOKEN }
    assert.match(
      problemsOf(() => loadConfig(Schema, { file: join(tmpdir(), 'plumbline-no-such-file.yaml'), env }))[0] ?? '',
      /cannot be read/,
    )
    assert.match(problemsOf(() => loadConfig(Schema, { file: write('l.yaml', '- 1'), env }))[0] ?? '', /one mapping/)
    assert.match(problemsOf(() => loadConfig(Schema, { file: write('b.yaml', 'a: &a [x]\nb: [*a,*a]'), env }))[0] ?? '', /cannot be read/)
    assert.match(
      problemsOf(() => loadConfig(Schema, { file: write('p.json', '{"__proto__": {"port": 1}}'), env }))[0] ?? '',
      /unknown option/,
    )
    assert.match(problemsOf(() => loadConfig(Schema, { file: write('s.yaml', 'http: 7'), env }))[0] ?? '', /mapping/)
  })
})

test('printing hides secrets and passwords in addresses, and names the origin', () => {
  const loaded = loadConfig(Schema, { env: { PLUMBLINE_TOKEN: TOKEN, PLUMBLINE_WEBHOOK: 'https://me:hunter2@example.org/x' } })
  const text = printConfig(loaded)
  assert.ok(!text.includes(TOKEN) && !text.includes('hunter2'))
  assert.match(text, /token +\(hidden\) {2}\[environment\]/)
  assert.equal(redactedConfig(loaded)['webhook'], 'https://me:(hidden)@example.org/x')
})

test('docs come from the declaration: every option with meaning, default, variable and flag', () => {
  const docs = configDocs(Schema)
  for (const field of configFields(Schema)) assert.ok(docs.includes(`\`${field.path.join('.')}\``) && docs.includes(`\`${field.env}\``))
  assert.match(docs, /\| `http\.port` \| Port to listen on\. Unit: TCP port\. \| `7070` \| `PLUMBLINE_HTTP_PORT` \| `--http-port` \|/)
  assert.match(docs, /\| `token` \| .*Secret.* \| required \|/)
})

test('a tool takes its part of a configuration and leaves the rest alone; its own options are checked all the same', () => {
  const Part = z.strictObject({ size: z.number().max(10).default(1).meta({ description: 'Size.' }) })
  const env = { PLUMBLINE_SIZE: '7', PLUMBLINE_OTHER: 'x' }
  assert.throws(() => loadConfig(Part, { env }), /PLUMBLINE_OTHER/)
  const others = configFields(z.strictObject({ other: z.string(), more: z.strictObject({ deep: z.number() }), size: z.string() }))
  assert.equal(loadConfig(Part, { env, others }).config.size, 7)
  assert.throws(() => loadConfig(Part, { env: { ...env, PLUMBLINE_SIZE: '70' }, others }), /PLUMBLINE_SIZE/)
  assert.throws(() => loadConfig(Part, { flags: { sise: 3 }, others }), /did you mean size/)
  assert.throws(() => loadConfig(Part, { env: { PLUMBLINE_SIZ: '3' }, others }), /PLUMBLINE_SIZ: .*did you mean PLUMBLINE_SIZE/)
  inFolder((write) => {
    assert.equal(loadConfig(Part, { file: write('a.yaml', 'size: 5\nother: x\nmore: { deep: 1 }\n'), others }).config.size, 5)
    assert.throws(() => loadConfig(Part, { file: write('b.yaml', 'sise: 5\n'), others }), /sise: unknown option; did you mean size/)
    assert.throws(() => loadConfig(Part, { file: write('c.yaml', 'more: { depp: 1 }\n'), others }), /did you mean more\.deep/)
  })
})

test('a value can stand in a file that a variable names; what is wrong with it is told without what it holds', () => {
  inFolder((write) => {
    const file = write('token', `${TOKEN}\n`)
    const { config, origins } = loadConfig(Schema, { env: { PLUMBLINE_TOKEN_FILE: file, KAFKA_BROKERS_FILE: write('brokers', 'a:1,b:2') } })
    assert.equal(config.token, TOKEN)
    assert.equal(origins.get('token'), 'environment')
    assert.deepEqual(config.kafka.brokers, ['a:1', 'b:2'])

    const both = { PLUMBLINE_TOKEN: TOKEN, PLUMBLINE_TOKEN_FILE: file }
    assert.deepEqual(
      problemsOf(() => loadConfig(Schema, { env: both })),
      ['PLUMBLINE_TOKEN_FILE: and PLUMBLINE_TOKEN are both set: leave one out'],
    )
    assert.match(
      problemsOf(() => loadConfig(Schema, { env: { PLUMBLINE_TOKEN_FILE: `${file}.not` } }))[0] ?? '',
      /cannot be read \(ENOENT\)/,
    )
    assert.match(problemsOf(() => loadConfig(Schema, { env: { PLUMBLINE_TOKEN_FILE: write('t', 'hunter2') } }))[0] ?? '', /at least 16/)
    assert.match(
      problemsOf(() =>
        loadConfig(Schema, { env: { ...both, PLUMBLINE_TOKEN: '', PLUMBLINE_TOKEN_FILE: write('big', 'x'.repeat(70_000)) } }),
      )[0] ?? '',
      /more than 65536 bytes/,
    )
    assert.match(
      problemsOf(() => loadConfig(Schema, { env: { PLUMBLINE_TOKEN: TOKEN, PLUMBLINE_TOKN_FILE: file } }))[0] ?? '',
      /unknown environment variable/,
    )
  })
})

test('files of values for other processes are left alone with their variables', () => {
  const env = { PLUMBLINE_TOKEN: TOKEN, PLUMBLINE_WEBHOOK_SECRET_FILE: '/nowhere' }
  assert.equal(loadConfig(Schema, { env, ignoreEnv: ['PLUMBLINE_WEBHOOK_SECRET'] }).config.token, TOKEN)
})
