import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { importJobSecret } from './job-token.ts'
import {
  isAnnouncementSigned,
  signAnnouncement,
  workerAnnouncementSchema,
} from './worker-announcement.ts'

const SECRET = 'a secret of these tests, long enough to sign with'
const bytes = (text: string) => new TextEncoder().encode(text)

test('the signature is HMAC-SHA256 over the purpose and the body as sent', async () => {
  const body = '{"url":"http://w"}'
  const signature = await signAnnouncement(await importJobSecret(SECRET), body)
  const expected = createHmac('sha256', SECRET).update(`setblock-worker-v1.${body}`)
  assert.equal(signature, expected.digest('base64url'))
})

test('any of the secrets will do, and each byte of the body counts', async () => {
  const [now, before, other] = await Promise.all(
    ['now', 'before', 'other'].map((name) => importJobSecret(`${SECRET} ${name}`)),
  )
  const signature = await signAnnouncement(before!, 'body')
  assert.equal(await isAnnouncementSigned([now!, before!], bytes('body'), signature), true)
  assert.equal(await isAnnouncementSigned([now!, other!], bytes('body'), signature), false)
  assert.equal(await isAnnouncementSigned([before!], bytes('bodY'), signature), false)
  assert.equal(await isAnnouncementSigned([before!], bytes('body'), `${signature}!`), false)
})

test('an address is an origin, written in one way', () => {
  const announcement = { url: '', state: 'ready', models: [], sentAt: 0 }
  const read = (url: string) => workerAnnouncementSchema.safeParse({ ...announcement, url })
  for (const [url, origin] of [
    ['http://worker-0.worker:8788', 'http://worker-0.worker:8788'],
    ['HTTPS://Worker.Example:443/', 'https://worker.example'],
    ['http://127.1:80', 'http://127.0.0.1'],
    ['http://[::1]:8788', 'http://[::1]:8788'],
  ] as const) {
    assert.equal(read(url).data?.url, origin)
  }
  const bad = ['http://u:p@w', 'http://w/path', 'http://w?q', 'http://w#f', 'ftp://w', 'file:///x']
  for (const url of [...bad, 'w:8788', '', `http://${'w'.repeat(300)}`]) {
    const { success, error } = read(url)
    assert.equal(success, false, url)
    assert.deepEqual(error?.issues[0]?.path, ['url'])
  }
})
