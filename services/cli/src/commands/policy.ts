import { writeFile } from 'node:fs/promises'
import type { FileFormat } from '@plumbline/adapters/files'
import type { Observed } from '@plumbline/adapters/policy'
import type { Policy } from '@plumbline/schemas'
import type { Command } from 'commander'
import { EXIT } from '../exit.ts'
import { checkInputs } from '../inputs.ts'
import { FILE_FORMATS, oneOf } from '../options.ts'
import { type Output, report } from '../output.ts'
import { policyOf, textOf } from '../policy/file.ts'
import { createProgress } from '../progress.ts'
import { examples, type Register } from '../register.ts'
import { openStore, type StoreFlags } from '../store.ts'

const POLICY_FILE = 'plumbline.policy.yaml'

export const registerPolicy: Register = (program, outputOf) => {
  const policy = program
    .command('policy')
    .description('The policy: what is sensitive, who owns whom, what is allowed.')
    .addHelpText('after', examples('plumbline policy test', 'plumbline policy propose'))
  policy
    .command('test')
    .argument('[file]', 'policy in YAML', POLICY_FILE)
    .description('Check a policy file: every mistake with its place, what has expired, what can never apply.')
    .option('--cases <file>', 'acts and what the policy is expected to say of each, YAML')
    .addHelpText('after', examples('plumbline policy test', 'plumbline policy test staging.policy.yaml --cases staging.cases.yaml --json'))
    .action(async (file: string, flags: { cases?: string }, command: Command) => test(file, flags.cases, outputOf(command)))
  policy
    .command('propose')
    .argument('[events...]', 'files of events, plain or gzip, - for stdin; without any: what the instance of the data folder has scored')
    .description(
      'Propose entries from what was seen: sensitive classes, text from outside, domains that may be your own. A diff to accept.',
    )
    .option('--policy <file>', 'the policy as it is; an absent file is the empty one', POLICY_FILE)
    .option('--format <format>', `${FILE_FORMATS.join(', ')} (default: found from the file)`, oneOf(FILE_FORMATS))
    .option('--write', 'accept all of it: write the policy file')
    .option('--tenant <name>', 'without files: what this tenant did (default: every tenant but the demo)')
    .option('--data-dir <folder>', 'without files: data folder (default: PLUMBLINE_DATA_DIR or data)')
    .option('--clickhouse <url>', 'without files: a server instead of the embedded store (default: CLICKHOUSE_URL)')
    .addHelpText(
      'after',
      examples(
        'plumbline policy propose',
        'plumbline policy propose history.jsonl.gz',
        'plumbline policy propose --write --policy new.yaml trail.json.gz',
      ),
    )
    .action(async (files: string[], flags: ProposeFlags, command: Command) => propose(files, flags, outputOf(command)))
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

interface ProposeFlags extends StoreFlags {
  readonly policy: string
  readonly format?: FileFormat
  readonly write?: boolean
  readonly tenant?: string
}

const inFiles = async (files: readonly string[], flags: ProposeFlags, output: Output): Promise<Observed> => {
  checkInputs(files)
  const { observe } = await import('../policy/observe.ts')
  const progress = createProgress(output, 'reading', 'events')
  const observed = await observe(files, flags.format, (n) => progress.at(n, 0))
  progress.end()
  return observed
}

const inStore = async (flags: ProposeFlags): Promise<Observed> => {
  const { observeStore } = await import('../policy/observe-store.ts')
  const store = await openStore(flags, 'reader')
  try {
    return await observeStore(store, flags.tenant)
  } finally {
    await store.close()
  }
}

const wordsOf = (diff: string, proposals: number, seen: number, end: string): string => {
  if (proposals > 0) return `${diff}\n\n${proposals} proposed; ${end}`
  return seen === 0 ? 'nothing to propose: no event was seen yet' : 'nothing to propose: the policy covers what was seen'
}

const propose = async (files: readonly string[], flags: ProposeFlags, output: Output): Promise<void> => {
  const { applyProposals, proposePolicy } = await import('@plumbline/adapters/policy')
  const current = await textOf(flags.policy, '')
  const { policy } = await policyOf(flags.policy, current)
  const observed = await (files.length > 0 ? inFiles(files, flags, output) : inStore(flags))
  const proposals = proposePolicy(policy, observed)
  const { text, diff } = applyProposals(current, proposals)
  if (flags.write === true && proposals.length > 0) await writeFile(flags.policy, text)
  const end = flags.write === true ? `written to ${flags.policy}` : `accept with --write, or put what you want into ${flags.policy}`
  const words = wordsOf(diff, proposals.length, observed.identities, end)
  await report(output, { policy: flags.policy, proposals, diff, written: flags.write === true && proposals.length > 0 }, words)
}
