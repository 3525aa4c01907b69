import type { ChangeScope } from '@plumbline/schemas'
import { compileGlob, type Glob } from '../policy/glob.ts'

/** Whom an announced change is about, ready to be asked. */
export interface CompiledScope {
  readonly all: boolean
  readonly identities: readonly Glob[]
  readonly groups: readonly Glob[]
}

export const compileScope = ({ all, identities = [], peerGroups = [] }: ChangeScope): CompiledScope => ({
  all: all === true,
  identities: identities.map(compileGlob),
  groups: peerGroups.map(compileGlob),
})

/** Whether an agent or service is in. Its group is asked for only where that decides. */
export const takesIn = (scope: CompiledScope, id: string, groupOf: () => string | undefined): boolean => {
  if (scope.all || scope.identities.some((glob) => glob.matches(id))) return true
  if (scope.groups.length === 0) return false
  const group = groupOf()
  return group !== undefined && scope.groups.some((glob) => glob.matches(group))
}
