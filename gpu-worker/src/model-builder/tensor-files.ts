import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'

import * as z from 'zod'

import { dtypeBytes, DTYPES, widen } from './float-formats.ts'
import type { Dtype } from './float-formats.ts'
import { isMissing, readJson } from './folder-files.ts'
import { BLOCK_BYTES, INDEX_BYTES_MAX } from './limits.ts'
import { fileError } from '../engine/file-digest.ts'
import { ModelError } from '../engine/model-error.ts'
import { headerLength, isDtype, LENGTH_BYTES, parseHeader } from './safetensors.ts'
import type { StoredTensor } from './safetensors.ts'

/** One file of weights, and where several lie. */
export const WEIGHTS_FILE = 'model.safetensors'
export const INDEX_FILE = 'model.safetensors.index.json'

const indexSchema = z.object({
  weight_map: z.record(
    z.string(),
    z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'must be a plain file name'),
  ),
})

/** A tensor of a checkpoint: shape known, values still in the file. */
export interface FileTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly dtype: Dtype
  /** Row-major values from the given one on, widened to float32. */
  read(begin: number, end: number): Promise<Float32Array>
  /** Rows of the last axis in blocks of a few megabytes; the next is read while one is used. */
  blocks(firstRow: number, endRow: number): AsyncGenerator<RowBlock>
}

/** Rows side by side, as they lie in the file. Valid until the next block is asked for. */
export interface RowBlock {
  readonly firstRow: number
  readonly rows: number
  readonly raw: Uint8Array
}

interface OpenFile {
  readonly file: string
  readonly bytes: number
  readonly handle: FileHandle
  readonly tensors: ReadonlyMap<string, StoredTensor>
}

/** The weights of a Hugging Face folder, in one file or in shards, open for reading in places. */
export class TensorFiles {
  /** Files that the weights lie in, and for shards the index: what the weights' digest covers. */
  readonly fileNames: readonly string[]
  readonly #files: readonly OpenFile[]
  readonly #owner: ReadonlyMap<string, OpenFile>

  private constructor(fileNames: readonly string[], files: readonly OpenFile[]) {
    this.fileNames = fileNames
    this.#files = files
    const owner = new Map<string, OpenFile>()
    for (const file of files) {
      for (const name of file.tensors.keys()) owner.set(name, file)
    }
    this.#owner = owner
  }

  /**
   * @throws ModelError naming file or tensor: nothing there, a header that does not hold, a shard
   * that is missing or cut short, a tensor in two shards or in another than the index says.
   */
  static async open(folder: string): Promise<TensorFiles> {
    const shards = await shardNames(folder)
    const files: OpenFile[] = []
    try {
      for (const file of shards?.files ?? [WEIGHTS_FILE]) files.push(await openFile(folder, file))
      if (shards !== undefined) checkShards(files, shards.weightMap)
    } catch (error) {
      await Promise.all(files.map(({ handle }) => handle.close()))
      throw error
    }
    const names = files.map(({ file }) => file)
    return new TensorFiles(shards === undefined ? names : [INDEX_FILE, ...names], files)
  }

  get names(): string[] {
    return [...this.#owner.keys()]
  }

  /** Bytes of all files of weights together. */
  get bytes(): number {
    return this.#files.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  has(name: string): boolean {
    return this.#owner.has(name)
  }

  /** @throws ModelError if there is none, or of a dtype that is not supported. */
  find(name: string): FileTensor {
    const file = this.#owner.get(name)
    const tensor = file?.tensors.get(name)
    if (file === undefined || tensor === undefined) {
      throw new ModelError(name, `tensor is missing from ${this.fileNames[0]}`)
    }
    const { dtype, shape } = tensor
    if (!isDtype(dtype)) {
      const known = DTYPES.join(', ')
      throw new ModelError(name, `dtype ${dtype} is not supported (known are ${known})`)
    }
    const source = { file, begin: tensor.begin, width: dtypeBytes(dtype) }
    return {
      name,
      shape,
      dtype,
      async read(begin, end) {
        const raw = await readAt(file, tensor.begin + begin * source.width, {
          into: new Uint8Array((end - begin) * source.width),
        })
        const values = new Float32Array(end - begin)
        widen(raw, dtype, values)
        return values
      },
      blocks: (firstRow, endRow) => rowBlocks(source, shape.at(-1)!, [firstRow, endRow]),
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#files.map(({ handle }) => handle.close()))
  }
}

interface Shards {
  readonly files: readonly string[]
  readonly weightMap: Readonly<Record<string, string>>
}

/** The index's files, or nothing where there is none: one file then holds everything. */
async function shardNames(folder: string): Promise<Shards | undefined> {
  let json: unknown
  try {
    json = await readJson(folder, INDEX_FILE, INDEX_BYTES_MAX)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  const parsed = indexSchema.safeParse(json)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!
    throw new ModelError(`${INDEX_FILE} ${issue.path.join('.')}`, issue.message)
  }
  const weightMap = parsed.data.weight_map
  const files = [...new Set(Object.values(weightMap))].sort()
  if (files.length === 0) throw new ModelError(`${INDEX_FILE} weight_map`, 'names no tensor')
  return { files, weightMap }
}

async function openFile(folder: string, file: string): Promise<OpenFile> {
  let handle: FileHandle
  try {
    handle = await open(join(folder, file), 'r')
  } catch (cause) {
    throw fileError(folder, file, cause)
  }
  try {
    const facts = { file, bytes: (await handle.stat()).size }
    const opened = { ...facts, handle }
    const start = new Uint8Array(Math.min(LENGTH_BYTES, facts.bytes))
    await readAt(opened, 0, { into: start })
    const header = new Uint8Array(headerLength(start, facts))
    await readAt(opened, LENGTH_BYTES, { into: header })
    return { ...opened, tensors: parseHeader(header, facts) }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** Each tensor lies in one shard, the one that the index names. */
function checkShards(files: readonly OpenFile[], weightMap: Shards['weightMap']): void {
  const seen = new Map<string, string>()
  for (const { file, tensors } of files) {
    for (const name of tensors.keys()) {
      const other = seen.get(name)
      if (other !== undefined) throw new ModelError(name, `lies in both ${other} and ${file}`)
      seen.set(name, file)
    }
  }
  for (const [name, file] of Object.entries(weightMap)) {
    if (seen.get(name) !== file) {
      throw new ModelError(name, `is not in ${file}, where ${INDEX_FILE} says it is`)
    }
  }
}

type ReadableFile = Pick<OpenFile, 'file' | 'handle'>

/** Fills `into` from the file's `position` on. */
async function readAt(
  { file, handle }: ReadableFile,
  position: number,
  { into }: { into: Uint8Array },
): Promise<Uint8Array> {
  let done = 0
  while (done < into.length) {
    const { bytesRead } = await handle.read(into, done, into.length - done, position + done)
    if (bytesRead === 0) throw new ModelError(file, `ends at byte ${position + done}`)
    done += bytesRead
  }
  return into
}

interface RowSource {
  readonly file: ReadableFile
  readonly begin: number
  /** Bytes of a value. */
  readonly width: number
}

async function* rowBlocks(
  { file, begin, width }: RowSource,
  rowLength: number,
  [firstRow, endRow]: readonly [number, number],
): AsyncGenerator<RowBlock> {
  const rowBytes = rowLength * width
  const blockRows = Math.min(Math.max(1, Math.floor(BLOCK_BYTES / rowBytes)), endRow - firstRow)
  const buffers = [new Uint8Array(blockRows * rowBytes), new Uint8Array(blockRows * rowBytes)]
  const readFrom = async (row: number, turn: number): Promise<RowBlock> => {
    const rows = Math.min(blockRows, endRow - row)
    const into = buffers[turn % 2]!.subarray(0, rows * rowBytes)
    return { firstRow: row, rows, raw: await readAt(file, begin + row * rowBytes, { into }) }
  }
  let turn = 0
  let next: Promise<RowBlock> | undefined = readFrom(firstRow, turn)
  try {
    for (let row = firstRow; row < endRow; row += blockRows) {
      const block: RowBlock = await next!
      const following = row + blockRows
      next = following < endRow ? readFrom(following, ++turn) : undefined
      yield block
    }
  } finally {
    // Whoever stops in the middle closes the file next: no read may be under way then.
    await next?.catch(() => undefined)
  }
}
