/**
 * The network of an address, as text: two ways to write one address must not be two sources. The /24 of an IPv4 address,
 * also where it is mapped into IPv6; of another IPv6 address the /48, in lower case and without compression.
 */
export const networkOf = (address: string): string => {
  if (!address.includes(':')) return address.slice(0, nthIndex(address, '.', 3))
  const groups = groupsOf(address)
  const isMapped = groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)
  const [a = 0, b = 0, c = 0] = isMapped ? [groups[6]! >> 8, groups[6]! & 255, groups[7]! >> 8] : groups
  return isMapped ? `${a}.${b}.${c}` : `${a.toString(16)}:${b.toString(16)}:${c.toString(16)}`
}

const nthIndex = (text: string, part: string, n: number): number => {
  let at = -1
  for (let i = 0; i < n; i++) at = text.indexOf(part, at + 1)
  return at
}

/** The eight groups of a valid IPv6 address, whose end may be written as IPv4 and whose zeros may be left out once. */
const groupsOf = (address: string): readonly number[] => {
  const [head = '', tail] = address.split('::')
  const before = partsOf(head)
  if (tail === undefined) return before
  const after = partsOf(tail)
  return [...before, ...new Array<number>(Math.max(0, 8 - before.length - after.length)).fill(0), ...after]
}

const partsOf = (text: string): number[] =>
  text === ''
    ? []
    : text.split(':').flatMap((part) => {
        if (!part.includes('.')) return [Number.parseInt(part, 16)]
        const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number)
        return [a * 256 + b, c * 256 + d]
      })
