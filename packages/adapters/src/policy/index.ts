export { type CaseResult, PolicyCase, PolicyCases, testPolicy } from './cases.ts'
export { type LoadedPolicy, loadPolicy, parsePolicy, type PolicyProblem, type PolicyWatch, problemText, watchPolicy } from './load.ts'
export {
  applyProposals,
  type Observed,
  type ObservedClass,
  type ObservedDestination,
  type PolicyDiff,
  type Proposal,
  proposePolicy,
} from './propose.ts'
