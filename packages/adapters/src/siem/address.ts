import { BlockList, isIP } from 'node:net'
import { PlumblineError } from '@plumbline/schemas'

/** Special-purpose ranges (IANA registries): nothing on the public internet answers there. */
const NOT_PUBLIC_V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]
/** Inside 2000::/3, which is all that is routed: documentation, 6to4, Teredo and other special blocks. */
const NOT_PUBLIC_V6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']

interface Range {
  readonly address: string
  readonly prefix: number
  readonly family: 'ipv4' | 'ipv6'
}

/** An address or a range like `10.1.0.0/16`; undefined when it is neither. */
const rangeOf = (text: string): Range | undefined => {
  const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const family = isIP(address)
  const longest = family === 6 ? 128 : 32
  const prefix = bits === undefined ? longest : Number(bits)
  return family === 0 || prefix > longest ? undefined : { address, prefix, family: family === 6 ? 'ipv6' : 'ipv4' }
}

/** Why this is no address and no range of addresses, or undefined. */
export const addressRangeProblem = (text: string): string | undefined =>
  rangeOf(text) === undefined ? `"${text}" is no address range; write it like 10.1.0.0/16` : undefined

const listOf = (ranges: readonly string[]): BlockList => {
  const list = new BlockList()
  for (const text of ranges) {
    const range = rangeOf(text)
    if (range === undefined) throw new PlumblineError('ADDRESS_RANGE_INVALID', `${addressRangeProblem(text)}.`)
    list.addSubnet(range.address, range.prefix, range.family)
  }
  return list
}

const blocked4 = listOf(NOT_PUBLIC_V4)
const blocked6 = listOf(NOT_PUBLIC_V6)
const routed6 = listOf(['2000::/3'])

/**
 * Tells whether a connection to an address may be made. Only public addresses may, and those in `allowed`
 * (addresses or ranges like `10.1.0.0/16`), named on purpose. Errors: ADDRESS_RANGE_INVALID.
 */
export const createAddressGuard = (allowed: readonly string[] = []): ((address: string) => boolean) => {
  const extra = listOf(allowed)
  return (address) => {
    const plain = mappedV4(address)
    const family = isIP(plain)
    if (family === 0) return false
    if (extra.check(plain, family === 6 ? 'ipv6' : 'ipv4')) return true
    return family === 4 ? !blocked4.check(plain) : routed6.check(plain, 'ipv6') && !blocked6.check(plain, 'ipv6')
  }
}

/** `::ffff:127.0.0.1` and `::ffff:7f00:1` are IPv4 in disguise. Zone suffixes are refused by isIP upstream. */
const mappedV4 = (address: string): string => {
  const match = /^::ffff:(?:(\d{1,3}(?:\.\d{1,3}){3})|([0-9a-f]{1,4}):([0-9a-f]{1,4}))$/i.exec(address)
  if (match === null) return address
  if (match[1] !== undefined) return match[1]
  const high = Number.parseInt(match[2] ?? '0', 16)
  const low = Number.parseInt(match[3] ?? '0', 16)
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
}
