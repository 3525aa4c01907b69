// Refuses what would make a score depend on the machine or the moment (INV-1, contracts C3): the detector computes with
// + - * /, exactly rounded Math functions and its own exp, log and tanh; it has no clock, no randomness, no locale.
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import ts from '@typescript/typescript6'
import { ROOT } from './bootstrap.mjs'

/** Exact by definition: each has one right answer in IEEE 754, so engines cannot differ. Constants likewise. */
const EXACT_MATH = new Set([
  'abs',
  'ceil',
  'clz32',
  'floor',
  'fround',
  'imul',
  'max',
  'min',
  'round',
  'sign',
  'sqrt',
  'trunc',
  'E',
  'LN2',
  'LN10',
  'PI',
])
const REFUSED_GLOBALS = new Set([
  'performance',
  'process',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'Intl',
  'fetch',
  'crypto',
  'globalThis',
])
const REFUSED_METHODS = new Set([
  'toLocaleString',
  'toLocaleLowerCase',
  'toLocaleUpperCase',
  'localeCompare',
  'randomUUID',
  'randomBytes',
  'randomInt',
])

const isDate = (node) => ts.isIdentifier(node) && node.text === 'Date'

/** What is wrong with this node, or undefined. */
const fault = (node) => {
  if (
    ts.isBinaryExpression(node) &&
    [ts.SyntaxKind.AsteriskAsteriskToken, ts.SyntaxKind.AsteriskAsteriskEqualsToken].includes(node.operatorToken.kind)
  ) {
    return '** may differ between engines; multiply instead'
  }
  if (ts.isNewExpression(node) && isDate(node.expression) && (node.arguments?.length ?? 0) === 0)
    return 'new Date() reads the clock; use the ingest time of the record'
  if (ts.isCallExpression(node) && isDate(node.expression)) return 'Date() reads the clock; use the ingest time of the record'
  if (ts.isPropertyAccessExpression(node)) {
    const name = node.name.text
    if (isDate(node.expression) && name === 'now') return 'Date.now reads the clock; use the ingest time of the record'
    return REFUSED_METHODS.has(name) ? `${name} depends on the machine or on chance` : undefined
  }
  if (!ts.isIdentifier(node)) return undefined
  const parent = node.parent
  // A member that happens to carry the name, like the `process` of a port, is not the global.
  if (parent.name === node && !ts.isVariableDeclaration(parent)) return undefined
  if (node.text === 'Math') {
    const member = ts.isPropertyAccessExpression(parent) && parent.expression === node ? parent.name.text : undefined
    if (ts.isVariableDeclaration(parent) && ts.isObjectBindingPattern(parent.name)) {
      const taken = parent.name.elements.map((e) => (e.propertyName ?? e.name).getText())
      const inexact = taken.filter((name) => !EXACT_MATH.has(name))
      return inexact.length === 0
        ? undefined
        : `Math.${inexact[0]} may differ between engines or runs; use the functions of packages/detector/src/math`
    }
    if (member === undefined) return 'take Math functions by name, like Math.sqrt, so that this check sees them'
    return EXACT_MATH.has(member)
      ? undefined
      : `Math.${member} may differ between engines or runs; use the functions of packages/detector/src/math`
  }
  return REFUSED_GLOBALS.has(node.text) ? `${node.text} has no place in a pure function` : undefined
}

/** Faults of one source text as `{ line, message }`, lines counted from 1. */
export const checkSource = (name, text) => {
  const source = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true)
  const found = []
  const visit = (node) => {
    const message = fault(node)
    if (message !== undefined) found.push({ line: source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1, message })
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

const main = () => {
  const folder = join(ROOT, 'packages', 'detector', 'src')
  const files = readdirSync(folder, { recursive: true }).filter((f) => f.endsWith('.ts') && !/\.(test|generated)\.ts$/.test(f))
  let faults = 0
  for (const file of files.sort()) {
    const path = join(folder, file)
    for (const { line, message } of checkSource(path, readFileSync(path, 'utf8'))) {
      console.error(`${relative(ROOT, path)}:${line}: ${message}`)
      faults++
    }
  }
  if (faults > 0) process.exitCode = 1
  else console.error(`detector arithmetic: ${files.length} files, pure`)
}

if (import.meta.main) main()
