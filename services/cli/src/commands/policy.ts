import { readFile, writeFile } from 'node:fs/promises'
import type { FileFormat } from '@plumbline/adapters/files'
import { type Policy, PlumblineError } from '@plumbline/schemas'
import type { Command } from 'commander'
import { EXIT } from '../exit.ts'
import { FILE_FORMATS, oneOf } from '../options.ts'
import { type Output, report } from '../output.ts'
import { createProgress } from '../progress.ts'
import { examples, type Register } from '../register.ts'

const POLICY_FILE = 'plumbline.policy.yaml'

export const registerPolicy: Register = (program, outputOf) => {
  const policy = program
    .command('policy')
    .description('The policy: what is sensitive, who owns whom, what is allowed.')
    .addHelpText('after', examples('plumbline policy test', 'plumbline policy propose history.jsonl.gz'))
  policy
    .command('test')
    .argument('[file]', 'policy in YAML', POLICY_FILE)
    .description('Check a policy file: every mistake with its place, what has expired, what can never apply.')
    .option('--cases <file>', 'acts and what the policy is expected to say of each, YAML')
    .addHelpText('after', examples('plumbline policy test', 'plumbline policy test staging.policy.yaml --cases staging.cases.yaml --json'))
    .action(async (file: string, flags: { cases?: string }, command: Command) => test(file, flags.cases, outputOf(command)))
  policy
    .command('propose')
    .argument('<events...>', 'files of events, plain or gzip, - for stdin')
    .description(
      'Propose entries from what was seen: sensitive classes, text from outside, domains that may be your own. A diff to accept.',
    )
    .option('--policy <file>', 'the policy as it is; an absent file is the empty one', POLICY_FILE)
    .option('--format <format>', `${FILE_FORMATS.join(', ')} (default: found from the file)`, oneOf(FILE_FORMATS))
    .option('--write', 'accept all of it: write the policy file')
    .addHelpText(
      'after',
      examples('plumbline policy propose history.jsonl.gz', 'plumbline policy propose --write --policy new.yaml trail.json.gz'),
    )
    .action(async (files: string[], flags: ProposeFlags, command: Command) => propose(files, flags, outputOf(command)))
}

const textOf = async (file: string, otherwise?: string): Promise<string> => {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    if (otherwise !== undefined && (cause as NodeJS.ErrnoException).code === 'ENOENT') return otherwise
    throw new PlumblineError('FILE_NOT_FOUND', `${file} cannot be read`, { cause })
  }
}

const test = async (file: string, casesFile: string | undefined, output: Output): Promise<void> => {
  const [{ parsePolicy, problemText }, { adviseOn }, { runCases }] = await Promise.all([
    import('@plumbline/adapters/policy'),
    import('../policy/advise.ts'),
    import('../policy/cases.ts'),
  ])
  const loaded = parsePolicy(await textOf(file))
  if (!loaded.ok) {
    const words = [`${file} is not a valid policy:`, ...loaded.problems.map((p) => `  ${problemText(p)}`)].join('\n')
    await report(output, { ok: false, file, problems: loaded.problems }, words)
    process.exitCode = EXIT.failure
    return
  }
  const { policy, hash } = loaded
  const advice = adviseOn(policy, Date.now())
  const cases = casesFile === undefined ? [] : runCases(policy, casesFile, await textOf(casesFile))
  const failed = cases.filter((c) => !c.ok)
  const words = [
    `${file} is valid: ${contents(policy)}. Hash ${hash.slice(0, 12)}.`,
    ...advice.map((a) => `  ${a.where}: ${a.message}`),
    ...(casesFile === undefined ? [] : [`${cases.length - failed.length} of ${cases.length} cases as expected`]),
    ...failed.map(
      (c) =>
        `  ${c.name}: ${c.differences.map((d) => `${d.field} is ${JSON.stringify(d.got)}, expected ${JSON.stringify(d.expected)}`).join('; ')}`,
    ),
  ]
  await report(output, { ok: failed.length === 0, file, hash, advice, cases }, words.join('\n'))
  if (failed.length > 0) process.exitCode = EXIT.failure
}

const contents = (policy: Policy): string => {
  const parts = (['resources', 'identities', 'rules', 'segments', 'exceptions', 'maintenance', 'calendars'] as const).flatMap((name) =>
    policy[name].length === 0 ? [] : [`${policy[name].length} ${name}`],
  )
  return parts.length === 0 ? 'empty, the built-in tables apply' : parts.join(', ')
}

interface ProposeFlags {
  readonly policy: string
  readonly format?: FileFormat
  readonly write?: boolean
}

const propose = async (files: readonly string[], flags: ProposeFlags, output: Output): Promise<void> => {
  const [{ applyProposals, parsePolicy, problemText, proposePolicy }, { observe }] = await Promise.all([
    import('@plumbline/adapters/policy'),
    import('../policy/observe.ts'),
  ])
  const current = await textOf(flags.policy, '')
  const loaded = parsePolicy(current)
  if (!loaded.ok) throw new PlumblineError('POLICY_INVALID', `${flags.policy}: ${loaded.problems.map(problemText).join('; ')}`)
  const progress = createProgress(output, 'reading', 'events')
  const observed = await observe(files, flags.format, (n) => progress.at(n, 0))
  progress.end()
  const proposals = proposePolicy(loaded.policy, observed)
  const { text, diff } = applyProposals(current, proposals)
  if (flags.write === true && proposals.length > 0) await writeFile(flags.policy, text)
  const end = flags.write === true ? `written to ${flags.policy}` : `accept with --write, or put what you want into ${flags.policy}`
  const words =
    proposals.length === 0 ? 'nothing to propose: the policy covers what was seen' : `${diff}\n\n${proposals.length} proposed; ${end}`
  await report(output, { policy: flags.policy, proposals, diff, written: flags.write === true && proposals.length > 0 }, words)
}
