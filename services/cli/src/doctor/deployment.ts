import { ConfigError } from '@plumbline/runtime'
import { PlumblineError } from '@plumbline/schemas'
import type { Check, Finding } from './diagnose.ts'

const name = 'deployment on Kafka'
const fail = (found: string, fix: string): Finding => ({ name, status: 'fail', found, fix })

/** Logs in at the brokers with the options of the environment and looks at the topics, as a worker does when it starts. */
export const checkDeployment: Check = async ({ deployment }) => {
  if (!deployment) return []
  const { openCluster } = await import('../kafka/config.ts')
  const { inspectTopics } = await import('@plumbline/adapters/kafka')
  try {
    const { settings, prefix, shards } = openCluster({})
    const reports = await inspectTopics(settings, { prefix, shards })
    const missing = reports.filter(({ partitions }) => partitions === null)
    const brokers = settings.brokers.join(', ')
    if (missing.length > 0)
      return [
        fail(
          `${brokers} answer, ${missing.length} of ${reports.length} topics of ${prefix} are not there`,
          'run plumbline migrate, or check PLUMBLINE_KAFKA_PREFIX',
        ),
      ]
    const problem = reports.flatMap(({ problems }) => problems)[0]
    if (problem !== undefined) return [fail(`${problem.code}: ${problem.message}`, 'plumbline topics shows all of them')]
    return [{ name, status: 'ok', found: `${brokers} answer, ${reports.length} topics of ${prefix} as they must be` }]
  } catch (error) {
    if (error instanceof ConfigError)
      return error.problems.map(({ where, message }) =>
        fail(`${where}: ${message}`, `correct or unset ${where}; docs/config-worker.md has every option`),
      )
    if (error instanceof PlumblineError)
      return [fail(`${error.code}: ${error.message}`, 'check PLUMBLINE_KAFKA_BROKERS and the options beside it (docs/security.md)')]
    throw error
  }
}
