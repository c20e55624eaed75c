import { trace } from '@opentelemetry/api'
import { afterEach, expect, test } from 'vitest'
import { MillraceError } from '../../runtime/error.ts'
import { inSpan, openSpan } from '../../runtime/log/spans.ts'
import { recordSpans } from './recorded-spans.ts'

afterEach(() => trace.disable())

test('without an SDK the work is done all the same', async () => {
  expect(await inSpan('millrace.read', {}, async (span) => (span.isRecording() ? 'recorded' : 'plain'))).toBe('plain')
  await expect(inSpan('millrace.read', {}, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
})

test('with one the span has the attributes, and an error by its code and not by its text', async () => {
  const spans = recordSpans()
  await inSpan('millrace.read', { 'millrace.job': 'shop' }, async () => 1)
  const secret = new MillraceError('BAD_TIME', 'a row of somebody')
  await expect(inSpan('millrace.deploy', {}, () => Promise.reject(secret))).rejects.toBe(secret)
  expect(spans).toEqual([
    { name: 'millrace.read', attributes: { 'millrace.job': 'shop' }, status: null, ended: true },
    { name: 'millrace.deploy', attributes: { 'millrace.error': 'BAD_TIME' }, status: { code: 2, message: 'BAD_TIME' }, ended: true },
  ])
})

test('one that ends by events ends once', () => {
  const spans = recordSpans()
  const end = openSpan('millrace.generation', { 'millrace.group': 'default' })
  expect(spans[0].ended).toBe(false)
  end()
  end('FENCED')
  openSpan('millrace.generation', {})('FENCED')
  expect(spans).toEqual([
    { name: 'millrace.generation', attributes: { 'millrace.group': 'default' }, status: null, ended: true },
    { name: 'millrace.generation', attributes: { 'millrace.error': 'FENCED' }, status: { code: 2, message: 'FENCED' }, ended: true },
  ])
})
