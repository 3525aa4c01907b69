/** The little of the engine's API that is used; the project compiles without the DOM's types. */
declare const WebAssembly: {
  validate(bytes: Uint8Array): boolean
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: unknown }
}

const compiled = new Map<string, object | null>()

/** Embedded code, compiled once per thread; null where the engine cannot run it (no SIMD). */
const moduleOf = (base64: string): object | null => {
  let module = compiled.get(base64)
  if (module === undefined) {
    const bytes = Buffer.from(base64, 'base64')
    module = WebAssembly.validate(bytes) ? new WebAssembly.Module(bytes) : null
    compiled.set(base64, module)
  }
  return module
}

export const canRun = (base64: string): boolean => moduleOf(base64) !== null

/** A kernel with memory of its own; null where the engine cannot run it. */
export const instantiate = <Kernel>(base64: string): Kernel | null => {
  const module = moduleOf(base64)
  return module === null ? null : (new WebAssembly.Instance(module).exports as Kernel)
}
