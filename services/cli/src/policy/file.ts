import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { type Policy, PlumblineError } from '@plumbline/schemas'
import { checkInputs } from '../inputs.ts'

/** A policy that was read and found valid. */
export interface PolicyInUse {
  readonly policy: Policy
  readonly hash: string
}

/** Text of a file that was named. Throws as `checkInputs` does, unless there is an `otherwise` for an absent one. */
export const textOf = async (file: string, otherwise?: string): Promise<string> => {
  if (otherwise !== undefined && !existsSync(file)) return otherwise
  checkInputs([file])
  return readFile(file, 'utf8')
}

/** Parses a policy file's text. Throws POLICY_INVALID naming the place of every mistake. */
export const policyOf = async (file: string, text: string): Promise<PolicyInUse> => {
  const { parsePolicy, problemText } = await import('@plumbline/adapters/policy')
  const loaded = parsePolicy(text)
  if (!loaded.ok) throw new PlumblineError('POLICY_INVALID', `${file}: ${loaded.problems.map(problemText).join('; ')}`)
  return loaded
}

/** The policy of `--policy FILE`, or undefined without one. A file that was named must be there. */
export const policyFlag = async (file: string | undefined): Promise<PolicyInUse | undefined> =>
  file === undefined ? undefined : policyOf(file, await textOf(file))
