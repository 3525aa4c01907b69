/* oxlint-disable no-console -- a script that reports */
// Makes .env beside docker-compose.yml, from .env.example, with a new value for each secret. Never touches one that is there:
// the key and the passwords in it belong to data that would be lost with them.
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))

const MAKERS = {
  'hex-32': () => randomBytes(32).toString('hex'),
  password: () => randomBytes(24).toString('base64url'),
  uuid: () => randomBytes(16).toString('base64url'),
}

/** Lines `NAME=<kind>` get a value of that kind; everything else stays. */
export const filled = (example) =>
  example.replace(/^([A-Z_]+)=<([a-z0-9-]+)>$/gm, (_line, name, kind) => {
    const make = Object.hasOwn(MAKERS, kind) ? MAKERS[kind] : undefined
    if (make === undefined) throw new Error(`.env.example: ${name} wants <${kind}>; known are ${Object.keys(MAKERS).join(', ')}`)
    return `${name}=${make()}`
  })

export const makeEnv = (target, example = join(ROOT, '.env.example')) => {
  // `wx`: not even a race overwrites one that is there.
  writeFileSync(target, filled(readFileSync(example, 'utf8')), { mode: 0o600, flag: 'wx' })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const target = process.argv[2] ?? join(ROOT, '.env')
  try {
    makeEnv(target)
    console.log(`${target} is written (mode 0600). Keep it safe: without PLUMBLINE_MASTER_KEY what was learned cannot be used.`)
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
    console.error(`${target} is there already and stays as it is.`)
    process.exitCode = 1
  }
}
