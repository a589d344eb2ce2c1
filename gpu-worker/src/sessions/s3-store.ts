import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { assertName, type ObjectStore, type StoredObject, type StoreTier } from './object-store.ts'

export interface S3StoreOptions {
  readonly bucket: string
  /** Put before every name; without a slash at either end. May be empty. */
  readonly prefix: string
  /** Of R2, MinIO and the like; AWS's own needs none. */
  readonly endpoint?: string | undefined
}

/**
 * Objects of a bucket (S3, R2, MinIO). `If-None-Match: *` makes the service itself refuse a name
 * that is taken, so workers on different machines meet no other way than those on one folder.
 * Credentials and region come from where AWS's tools look for them: AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY, AWS_REGION and the rest of that chain.
 */
export class S3Store implements ObjectStore {
  readonly #client: S3Client
  readonly #bucket: string
  readonly #prefix: string

  constructor({ bucket, prefix, endpoint }: S3StoreOptions) {
    this.#bucket = bucket
    this.#prefix = prefix === '' ? '' : `${prefix}/`
    this.#client = new S3Client({
      region: process.env['AWS_REGION'] ?? 'auto',
      ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    })
  }

  async get(name: string, onFound?: (tier: StoreTier) => void): Promise<Uint8Array | undefined> {
    const command = new GetObjectCommand(this.#place(name))
    const answer = await this.#client.send(command).catch(unless(404))
    const bytes = await answer?.Body?.transformToByteArray()
    if (bytes !== undefined) onFound?.('bucket')
    return bytes
  }

  async putNew(name: string, bytes: Uint8Array): Promise<boolean> {
    const command = new PutObjectCommand({ ...this.#place(name), Body: bytes, IfNoneMatch: '*' })
    // 409: another write of the same name is under way, and one of the two wins.
    const answer = await this.#client.send(command).catch(unless(412, 409))
    return answer !== undefined
  }

  async list(folder: string): Promise<StoredObject[]> {
    assertName(folder)
    const objects: StoredObject[] = []
    let token: string | undefined
    do {
      const page = await this.#client.send(
        new ListObjectsV2Command({
          Bucket: this.#bucket,
          Prefix: `${this.#prefix}${folder}/`,
          ContinuationToken: token,
        }),
      )
      for (const { Key = '', Size = 0, LastModified } of page.Contents ?? []) {
        const name = Key.slice(this.#prefix.length)
        objects.push({ name, bytes: Size, storedMs: LastModified?.getTime() ?? 0 })
      }
      token = page.NextContinuationToken
    } while (token !== undefined)
    return objects
  }

  async remove(name: string): Promise<void> {
    await this.#client.send(new DeleteObjectCommand(this.#place(name)))
  }

  #place(name: string): { Bucket: string; Key: string } {
    assertName(name)
    return { Bucket: this.#bucket, Key: this.#prefix + name }
  }
}

/** Turns an answer of one of these statuses into undefined; anything else stays an error. */
function unless(...statuses: readonly number[]) {
  return (error: unknown): undefined => {
    const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined
    if (status === undefined || !statuses.includes(status)) throw error
  }
}
