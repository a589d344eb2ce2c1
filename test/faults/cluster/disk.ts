import { execFileSync } from 'node:child_process'
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises'
import path from 'node:path'

const DISK_MEGABYTES = 64

/** A small disk of its own that can run full and stop answering. */
export class Disk {
  readonly folder: string
  readonly #image: string

  readonly #unmountAtExit = (): void => {
    try {
      this.thaw()
    } catch {
      // It was not frozen.
    }
    run('umount', '--lazy', this.folder)
  }

  private constructor(folder: string, image: string) {
    this.folder = folder
    this.#image = image
  }

  /** Null where no disk can be made: that takes a loop device and the right to mount it. */
  static async mount(root: string): Promise<Disk | null> {
    const disk = new Disk(path.join(root, 'disk'), path.join(root, 'disk.ext4'))
    await mkdir(disk.folder, { recursive: true })
    try {
      run('truncate', '-s', `${DISK_MEGABYTES}M`, disk.#image)
      run('mkfs.ext4', '-q', '-m', '0', disk.#image)
      run('mount', '-o', 'loop', disk.#image, disk.folder)
      process.once('exit', disk.#unmountAtExit)
      return disk
    } catch {
      return null
    }
  }

  /** Takes all the room there is; whoever writes is told so. */
  async fill(): Promise<void> {
    const { bavail, bsize } = await statfs(this.folder)
    await writeFile(this.#ballast, new Uint8Array(bavail * bsize)).catch(() => undefined)
  }

  async empty(): Promise<void> {
    await rm(this.#ballast, { force: true })
  }

  /** Whoever writes waits until it is thawed. */
  freeze(): void {
    run('fsfreeze', '-f', this.folder)
  }

  thaw(): void {
    run('fsfreeze', '-u', this.folder)
  }

  unmount(): void {
    process.off('exit', this.#unmountAtExit)
    this.#unmountAtExit()
  }

  get #ballast(): string {
    return path.join(this.folder, 'ballast')
  }
}

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: 'ignore' })
}
