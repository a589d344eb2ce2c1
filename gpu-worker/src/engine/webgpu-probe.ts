/** Whether WebGPU has found a GPU, or why not. */
export type WebGpuProbe = { readonly ok: true } | { readonly ok: false; readonly reason: string }

/** Looks for a GPU. Only in the thread that is going to use it: one thread owns the device. */
export function probeWebGpu(): Promise<WebGpuProbe> {
  return Promise.resolve({ ok: false, reason: 'this version has no WebGPU engine' })
}
