import { signal } from '@preact/signals'

export type Route =
  | { readonly view: 'home' }
  | { readonly view: 'alert'; readonly id: string }
  | { readonly view: 'identity'; readonly tenant: string; readonly id: string }
  | { readonly view: 'identities' }
  | { readonly view: 'incidents' }
  | { readonly view: 'changes' }
  | { readonly view: 'dead-letters' }

function read(): Route {
  const [view = '', ...parts] = location.hash.replace(/^#\/?/, '').split('/')
  const decoded = parts.map((part) => {
    try {
      return decodeURIComponent(part)
    } catch {
      return part
    }
  })
  if (view === 'alerts' && decoded[0] !== undefined) return { view: 'alert', id: decoded[0] }
  if (view === 'identity' && decoded[0] !== undefined && decoded[1] !== undefined)
    return { view: 'identity', tenant: decoded[0], id: decoded[1] }
  if (view === 'identities') return { view: 'identities' }
  if (view === 'incidents') return { view: 'incidents' }
  if (view === 'changes') return { view: 'changes' }
  if (view === 'dead-letters') return { view: 'dead-letters' }
  return { view: 'home' }
}

export const route = signal<Route>(read())
addEventListener('hashchange', () => (route.value = read()))

export const alertLink = (id: string): string => `#/alerts/${encodeURIComponent(id)}`
export const identityLink = (tenant: string, id: string): string => `#/identity/${encodeURIComponent(tenant)}/${encodeURIComponent(id)}`
