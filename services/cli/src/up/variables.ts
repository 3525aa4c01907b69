import { configFields } from '@plumbline/runtime'
import type { z } from 'zod'

const namesOf = (schema: z.ZodObject): string[] => configFields(schema).map(({ env }) => env)

/**
 * Variables of the environment that are another process's: one environment may serve all processes of a deployment. What none
 * of them reads stays a mistake. The declarations of the others are only loaded when there is something to find in them.
 */
export const variablesOfOthers = async (schema: z.ZodObject, env: Readonly<Record<string, string | undefined>>): Promise<string[]> => {
  const own = new Set(namesOf(schema))
  const strange = Object.keys(env).filter((name) => name.startsWith('PLUMBLINE_') && !own.has(name))
  if (strange.length === 0) return []
  const { allOptions } = await import('../processes.ts')
  const all = new Set(allOptions().map(({ env: name }) => name))
  return strange.filter((name) => all.has(name))
}
