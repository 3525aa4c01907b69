import { readFileSync } from 'node:fs'
import { Policy, PlumblineError } from '@plumbline/schemas'
import { LineCounter, parseDocument } from 'yaml'

export interface PolicyProblem {
  /** `resources.2.sensitivity (line 14)`, or the file when there is no better place. */
  readonly where: string
  readonly message: string
}

export interface ReadPolicy {
  readonly policy: Policy | undefined
  readonly problems: readonly PolicyProblem[]
}

const readText = (file: string): string => {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new PlumblineError('FILE_NOT_FOUND', `${file} cannot be read`, { cause })
  }
}

/** Reads a policy file and names every mistake with its line. Throws FILE_NOT_FOUND only. */
export const readPolicy = (file: string): ReadPolicy => parsePolicy(file, readText(file))

export const parsePolicy = (name: string, text: string): ReadPolicy => {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: true })
  if (document.errors.length > 0) {
    return {
      policy: undefined,
      problems: document.errors.map((e) => ({
        where: `${name} (line ${lines.linePos(e.pos[0]).line})`,
        message: e.message.split('\n')[0] ?? '',
      })),
    }
  }
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 0 }) ?? {}
  } catch {
    return { policy: undefined, problems: [{ where: name, message: 'aliases (*name) are not allowed' }] }
  }
  const parsed = Policy.safeParse(value)
  if (parsed.success) return { policy: parsed.data, problems: [] }
  const place = (path: readonly PropertyKey[]): string => {
    // The deepest part of the path that is really there has a line.
    for (let n = path.length; n > 0; n--) {
      const node = document.getIn(path.slice(0, n), true) as { range?: readonly [number, number, number] | null } | undefined
      const at = node?.range?.[0]
      if (at !== undefined) return `${path.map(String).join('.')} (line ${lines.linePos(at).line})`
    }
    return path.length === 0 ? name : path.map(String).join('.')
  }
  return { policy: undefined, problems: parsed.error.issues.map((issue) => ({ where: place(issue.path), message: issue.message })) }
}
