import type { Policy } from '@plumbline/schemas'
import { EXIT } from '../exit.ts'
import { type Output, report } from '../output.ts'
import { examples, type Register } from '../program.ts'

export const POLICY_FILE = 'plumbline.policy.yaml'

export const registerPolicy: Register = (program, outputOf) => {
  const policy = program.command('policy').description('Check the policy: what is sensitive, who owns whom, what is allowed.')
  policy
    .command('test')
    .argument('[file]', 'policy in YAML', POLICY_FILE)
    .description('Check a policy file: every mistake with its place, what has expired, what can never apply.')
    .addHelpText('after', examples('plumbline policy test', 'plumbline policy test staging.policy.yaml --json'))
    .action(async (file: string, _flags: unknown, command) => test(file, outputOf(command)))
}

const test = async (file: string, output: Output): Promise<void> => {
  const { readPolicy } = await import('../policy/read.ts')
  const { adviseOn } = await import('../policy/advise.ts')
  const { policyHash } = await import('@plumbline/detector/policy')
  const read = readPolicy(file)
  if (read.policy === undefined) {
    const words = [`${file} is not a valid policy:`, ...read.problems.map((p) => `  ${p.where}: ${p.message}`)].join('\n')
    await report(output, { ok: false, file, problems: read.problems, advice: [] }, words)
    process.exitCode = EXIT.failure
    return
  }
  const advice = adviseOn(read.policy, Date.now())
  const hash = policyHash(read.policy)
  const words = [
    `${file} is valid: ${contents(read.policy)}. Hash ${hash.slice(0, 12)}.`,
    ...advice.map((a) => `  ${a.where}: ${a.message}`),
  ]
  await report(output, { ok: true, file, hash, problems: [], advice }, words.join('\n'))
}

const contents = (policy: Policy): string => {
  const parts = (['resources', 'identities', 'rules', 'segments', 'exceptions', 'maintenance', 'calendars'] as const).flatMap((name) =>
    policy[name].length === 0 ? [] : [`${policy[name].length} ${name}`],
  )
  return parts.length === 0 ? 'empty, the built-in tables apply' : parts.join(', ')
}
