/** A map that forgets what was set or used longest ago once it is full, and counts that. */
export class Recent<V> {
  readonly #map = new Map<string, V>()
  readonly #limit: number
  forgotten = 0

  constructor(limit: number, entries: Iterable<readonly [string, V]> = []) {
    this.#limit = limit
    for (const [key, value] of entries) this.set(key, value)
  }

  get size(): number {
    return this.#map.size
  }

  get(key: string): V | undefined {
    return this.#map.get(key)
  }

  has(key: string): boolean {
    return this.#map.has(key)
  }

  /** Also moves it to the end of those to be forgotten. */
  set(key: string, value: V): void {
    this.#map.delete(key)
    if (this.#map.size >= this.#limit) {
      const [oldest] = this.#map.keys()
      if (oldest !== undefined) this.delete(oldest)
      this.forgotten++
    }
    this.#map.set(key, value)
  }

  delete(key: string): void {
    this.#map.delete(key)
  }

  /** Forgets all but so many. */
  keep(most: number): void {
    for (const key of this.#map.keys()) {
      if (this.#map.size <= most) return
      this.#map.delete(key)
      this.forgotten++
    }
  }

  values(): Iterable<V> {
    return this.#map.values()
  }

  [Symbol.iterator](): Iterator<[string, V]> {
    return this.#map[Symbol.iterator]()
  }
}
