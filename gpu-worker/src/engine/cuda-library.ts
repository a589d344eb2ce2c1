import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

import { ModelError } from './model-error.ts'

/** What ONNX Runtime loads for CUDA; not part of its package, because of their size. */
const LIBRARIES = ['libonnxruntime_providers_cuda.so', 'libonnxruntime_providers_shared.so']

/** Where the runtime looks for its libraries on this machine. */
function libraryFolder(): string {
  const { resolve } = createRequire(import.meta.url)
  const root = path.dirname(resolve('onnxruntime-node/package.json'))
  return path.join(root, 'bin', 'napi-v6', process.platform, process.arch)
}

/** The CUDA libraries that are not there, by path; none where CUDA is installed. */
export function missingCudaLibraries(folder = libraryFolder()): string[] {
  return LIBRARIES.map((library) => path.join(folder, library)).filter((file) => !existsSync(file))
}

/** @throws ModelError that says how to install them, if the libraries are not there */
export function assertCudaInstalled(): void {
  if (missingCudaLibraries().length === 0) return
  const way =
    process.platform === 'linux' && process.arch === 'x64'
      ? 'install it with npx setblock install-cuda'
      : 'there is none for this system, only for Linux on x86-64'
  throw new ModelError('device cuda', `the CUDA provider of ONNX Runtime is not there: ${way}`)
}
