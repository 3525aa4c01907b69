import { type CaseResult, PolicyCases, testPolicy } from '@plumbline/adapters/policy'
import { inWords, type Policy, PlumblineError } from '@plumbline/schemas'
import { parse } from 'yaml'

/** Runs a file of cases against a policy. Throws POLICY_CASES_INVALID when the file is none. */
export const runCases = (policy: Policy, file: string, text: string): readonly CaseResult[] => {
  let value: unknown
  try {
    value = parse(text, { maxAliasCount: 0 }) ?? []
  } catch (cause) {
    throw new PlumblineError('POLICY_CASES_INVALID', `${file} is not YAML`, { cause })
  }
  const cases = PolicyCases.safeParse(value, { error: inWords })
  if (cases.success) return testPolicy(policy, cases.data)
  const mistakes = cases.error.issues.slice(0, 10).map((issue) => `${issue.path.map(String).join('.')}: ${issue.message}`)
  throw new PlumblineError('POLICY_CASES_INVALID', `${file} is not a list of cases: ${mistakes.join('; ')}`)
}
