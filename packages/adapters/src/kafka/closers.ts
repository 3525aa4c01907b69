/** Closes what was opened, latest first. */
export const createClosers = () => {
  const closers: (() => Promise<void>)[] = []
  return {
    add: (close: () => Promise<void>): void => void closers.push(close),
    async close(): Promise<void> {
      for (let close = closers.pop(); close !== undefined; close = closers.pop()) await close()
    },
  }
}
