import { configFields } from '@plumbline/runtime'
import type { z } from 'zod'

const namesOf = (schema: z.ZodObject): string[] => configFields(schema).map(({ env }) => env)

/** Every variable that some process of Plumbline reads. */
const allVariables = async (): Promise<readonly string[]> => {
  const [{ StandaloneConfig }, { FrontConfig }, { WorkerConfig }, { RecorderConfig }, { MigrateConfig }] = await Promise.all([
    import('@plumbline/standalone/config'),
    import('@plumbline/standalone/front/config'),
    import('@plumbline/worker/config'),
    import('@plumbline/recorder/config'),
    import('../migrate/config.ts'),
  ])
  return [StandaloneConfig, FrontConfig, WorkerConfig, RecorderConfig, MigrateConfig].flatMap((schema) => namesOf(schema))
}

/**
 * Variables of the environment that are another process's: one environment may serve all processes of a deployment. What none
 * of them reads stays a mistake. The declarations of the others are only loaded when there is something to find in them.
 */
export const variablesOfOthers = async (schema: z.ZodObject, env: Readonly<Record<string, string | undefined>>): Promise<string[]> => {
  const own = new Set(namesOf(schema))
  const strange = Object.keys(env).filter((name) => name.startsWith('PLUMBLINE_') && !own.has(name))
  if (strange.length === 0) return []
  const all = new Set(await allVariables())
  return strange.filter((name) => all.has(name))
}
