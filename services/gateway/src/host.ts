import { isIP } from 'node:net'

/** The name in a Host header without its port, in lower case and without the dot of the root. */
const nameIn = (header: string): string =>
  header
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase()
    .replace(/\.$/, '')

/**
 * Whether a Host header names this service. A page that an attacker's name brought into a browser on this machine or network
 * (DNS rebinding) sends that name, so names are taken only when they are local or configured. An address is what nobody can
 * rebind. Without the header (HTTP/1.0) it is no browser.
 */
export const createHostCheck = (names: readonly string[] = []): ((header: string | undefined) => boolean) => {
  const known = new Set(['localhost', ...names.map(nameIn)])
  return (header) => {
    if (header === undefined) return true
    const name = nameIn(header)
    return known.has(name) || name.endsWith('.localhost') || isIP(name) !== 0
  }
}
