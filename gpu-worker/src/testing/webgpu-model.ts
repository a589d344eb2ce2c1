import { chooseForm } from '../engine/device.ts'
import type { Precision } from '../engine/device.ts'
import { loadForm, readManifest } from '../engine/manifest.ts'
import type { LoadedModel } from '../engine/manifest.ts'
import { probeWebGpu } from '../engine/webgpu-probe.ts'
import { buildModel } from '../model-builder/build-model.ts'

/**
 * Why tests of WebGPU cannot run here, or false. Said loudly: a run without them has not tested what
 * it seems to.
 */
export async function withoutWebGpu(): Promise<string | false> {
  const probe = await probeWebGpu()
  if (probe.ok) return false
  const reason = `no WebGPU adapter (gpu-worker/docs/webgpu.md tells how to get one): ${probe.reason}`
  process.stderr.write(`=== SKIPPED: ${reason}\n`)
  return reason
}

/** Builds the WebGPU form of a checkpoint into its folder. */
export async function webGpuModel(
  folder: string,
  precision: Exclude<Precision, 'int8'>,
): Promise<LoadedModel> {
  await buildModel({ folder, targets: [`webgpu-${precision}`] })
  const manifest = await readManifest(folder)
  return loadForm(folder, manifest, chooseForm(manifest, 'webgpu', precision))
}
