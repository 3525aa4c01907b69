import { type ConfigField, configFields } from '@plumbline/runtime'
import { type Command, Option } from 'commander'
import type { z } from 'zod'

const describe = ({ meta, defaultValue, choices, env }: ConfigField): string => {
  const { description = '', unit } = meta
  const extra = [
    ...(choices.length > 0 ? [choices.join(', ')] : []),
    ...(unit === undefined ? [] : [unit]),
    ...(defaultValue === undefined || Array.isArray(defaultValue) ? [] : [`default ${String(defaultValue)}`]),
    env,
  ]
  return `${description.replace(/\.$/, '')} (${extra.join('; ')})`
}

/** What stands for the value in the help. */
const VALUES: Partial<Record<ConfigField['kind'], string>> = { number: 'n', list: 'a,b' }

/** One flag per option of a configuration, from its declaration. Values stay text: `loadConfig` reads and checks them. */
export const addConfigFlags = (command: Command, schema: z.ZodObject): void => {
  for (const field of configFields(schema)) {
    if (field.kind === 'boolean') {
      command.addOption(new Option(field.defaultValue === true ? `--no-${field.flag}` : `--${field.flag}`, describe(field)))
    } else {
      command.addOption(new Option(`--${field.flag} <${VALUES[field.kind] ?? 'value'}>`, describe(field)))
    }
  }
}

/** What was really given on the command line; commander's own defaults (of `--no-…`) do not count. */
export const givenFlags = (command: Command, schema: z.ZodObject): Record<string, unknown> => {
  const names = new Set(configFields(schema).map((f) => f.flag.replace(/-([a-z0-9])/g, (_, c: string) => c.toUpperCase())))
  const options = command.opts<Record<string, unknown>>()
  return Object.fromEntries(Object.entries(options).filter(([name]) => names.has(name) && command.getOptionValueSource(name) === 'cli'))
}
