import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import process from 'node:process'
import { missingCudaLibraries } from '../../gpu-worker/src/engine/cuda-library.ts'
import { CliError, type Command } from './command.ts'

const USAGE = `npx setblock install-cuda

Downloads ONNX Runtime's CUDA provider (for CUDA 12, some hundred MB, from NuGet) into this installation, for Linux on
x86-64. npm install does not: most people need none. It is gone after the next npm ci, so run it after that.
The machine needs NVIDIA's driver, CUDA 12 and cuDNN 9 beside it. Then: npx setblock serve --device cuda --model FOLDER`

/** `npx setblock install-cuda`: what `--device cuda` needs and npm does not install. */
export const installCuda: Command = { usage: USAGE, run }

async function run(args: readonly string[]): Promise<number> {
  if (args.length > 0) throw new CliError('install-cuda takes no arguments')
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new CliError('there is a CUDA provider for Linux on x86-64 only')
  }
  if (missingCudaLibraries().length === 0) {
    process.stdout.write('The CUDA provider is there already.\n')
    return 0
  }
  const script = createRequire(import.meta.url).resolve('onnxruntime-node/script/install.js')
  // `true`, not `cuda12`: the installer of this version takes that name for no answer, and then does
  // nothing below an npm script. Its way to the network follows GLOBAL_AGENT_HTTPS_PROXY.
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'true' }
  const { status } = spawnSync(process.execPath, [script], { stdio: 'inherit', env })
  const missing = missingCudaLibraries()
  if (status !== 0 || missing.length > 0) {
    const what = missing.length > 0 ? `; missing: ${missing.join(', ')}` : ''
    throw new CliError(`the installer of onnxruntime-node failed (exit code ${status})${what}`)
  }
  process.stdout.write('The CUDA provider is installed.\n')
  return 0
}
