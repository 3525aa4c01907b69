import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '@plumbline/runtime'
import { Command } from 'commander'
import { z } from 'zod'
import { addConfigFlags, givenFlags } from './flags.ts'

const Config = z.strictObject({
  httpPort: z.number().int().default(7070).meta({ description: 'Port of the door.', unit: 'TCP' }),
  demo: z.boolean().default(true).meta({ description: 'Replay the demo.' }),
  verbose: z.boolean().default(false),
  logLevel: z.enum(['info', 'warn']).default('info'),
  addresses: z.array(z.string()).default([]),
  webhook: z.strictObject({ url: z.string().optional() }),
})

const parse = (...argv: readonly string[]) => {
  const command = new Command('up').exitOverride().configureOutput({ writeErr: () => {} })
  command.option('--config <file>')
  addConfigFlags(command, Config)
  command.parse([...argv], { from: 'user' })
  return { command, config: loadConfig(Config, { env: {}, flags: givenFlags(command, Config) }) }
}

test('each option has a flag with meaning, unit, default and variable', () => {
  const help = parse().command.helpInformation().replaceAll(/\s+/g, ' ')
  assert.match(help, /--http-port <n> Port of the door \(TCP; default 7070; PLUMBLINE_HTTP_PORT\)/)
  assert.match(help, /--no-demo Replay the demo/)
  assert.match(help, /--addresses <a,b>/)
  assert.match(help, /--log-level <value> .*info, warn/)
})

test('only what was given counts; text is read by the type of the option', () => {
  const { config } = parse(
    '--http-port',
    '0',
    '--no-demo',
    '--addresses',
    '10.0.0.1,10.0.0.2',
    '--webhook-url',
    'https://x.example',
    '--config',
    'x',
  )
  assert.deepEqual(config.config, {
    httpPort: 0,
    demo: false,
    verbose: false,
    logLevel: 'info',
    addresses: ['10.0.0.1', '10.0.0.2'],
    webhook: { url: 'https://x.example' },
  })
  const origin = (name: string) => config.origins.get(name)
  assert.deepEqual(['httpPort', 'demo', 'verbose', 'logLevel'].map(origin), ['flag', 'flag', 'default', 'default'])
  assert.equal(parse().config.config.demo, true)
  assert.equal(parse('--verbose').config.config.verbose, true)
})

test('a value of the wrong type is refused with the flag that gave it', () => {
  assert.throws(() => parse('--http-port', 'many'), { code: 'CONFIG_INVALID', message: /--http-port/ })
  assert.throws(() => parse('--htp-port', '1'), { code: 'commander.unknownOption' })
})
