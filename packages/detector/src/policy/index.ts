export { compileGlob, type Glob } from './glob.ts'
export {
  defaultSensitivity,
  isExternalDestination,
  isUntrustedRead,
  isWrite,
  sendsOutward,
  sensitivityByName,
  wordsIn,
} from './classify.ts'
export {
  type CompiledPolicy,
  compilePolicy,
  type FitField,
  type IdentityPolicy,
  policyHash,
  type ResourcePolicy,
  type RuleVerdict,
} from './compile.ts'
export { type Act, goesOutside, type Judgement, judge } from './judge.ts'
