// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { functionV1 } from '@junctiond/contracts';
import { RpcError } from '@junctiond/rpc';
import { GatewayFixture } from './gateway.fixture.js';

describe('the logs API', () => {
  let gateway: GatewayFixture;

  beforeAll(async () => {
    gateway = await GatewayFixture.start({ JUNCTION_GATEWAY_PROVIDER_TIMEOUT: '200ms' });
    await gateway.send('POST', '/system/functions', { body: { service: 'echo', image: 'i' } });
  });
  afterAll(async () => {
    await gateway.dispose();
  });
  beforeEach(() => {
    gateway.provider.calls.length = 0;
    gateway.provider.logLines.length = 0;
    delete gateway.provider.overrides.readLogs;
  });

  const line = (text: string): functionV1.FunctionLogLine => ({
    name: 'echo',
    namespace: 'openfaas-fn',
    instance: 'echo-1',
    at: new Date('2026-01-02T03:04:05.678Z'),
    text,
  });
  const asked = () =>
    gateway.provider.calls.find(([method]) => method === 'readLogs')?.[1] as functionV1.ReadLogsRequest;

  it('answers one JSON object a line', async () => {
    gateway.provider.logLines.push(line('one'), line('two "quoted"\ttext'));
    const answer = await gateway.send('GET', '/system/logs?name=echo');
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/x-ndjson');
    const lines = answer.text
      .trimEnd()
      .split('\n')
      .map((each) => JSON.parse(each) as unknown);
    const common = {
      name: 'echo',
      namespace: 'openfaas-fn',
      instance: 'echo-1',
      timestamp: '2026-01-02T03:04:05.678Z',
    };
    expect(lines).toEqual([
      { ...common, text: 'one' },
      { ...common, text: 'two "quoted"\ttext' },
    ]);
  });

  it('asks for the last five minutes unless told otherwise', async () => {
    const beforeMs = Date.now();
    await gateway.send('GET', '/system/logs?name=echo');
    const { since, ...rest } = asked();
    expect(rest).toEqual({ name: 'echo', namespace: 'openfaas-fn', instance: '', tailLines: undefined, follow: false });
    const backMs = beforeMs - since!.getTime();
    expect(backMs).toBeLessThanOrEqual(5 * 60_000);
    expect(backMs).toBeGreaterThan(4 * 60_000);
  });

  it('hands the query on', async () => {
    const query = 'name=echo.openfaas-fn&instance=echo-1&tail=7&follow=0&since=2026-01-01T00:00:00%2B01:00';
    expect((await gateway.send('GET', `/system/logs?${query}`)).status).toBe(200);
    expect(asked()).toEqual({
      name: 'echo',
      namespace: 'openfaas-fn',
      instance: 'echo-1',
      tailLines: 7,
      follow: false,
      since: new Date('2025-12-31T23:00:00Z'),
    });
  });

  it('takes a negative tail for all lines', async () => {
    await gateway.send('GET', '/system/logs?name=echo&tail=-1');
    expect(asked().tailLines).toBeUndefined();
  });

  it('answers 404 for an unknown function', async () => {
    expect(await gateway.send('GET', '/system/logs?name=nobody&follow=true')).toMatchObject({
      status: 404,
      text: 'function nobody.openfaas-fn does not exist',
    });
  });

  it('names every faulty part of the query', async () => {
    const answer = await gateway.send('GET', '/system/logs?tail=many&follow=perhaps&since=yesterday');
    expect(answer.status).toBe(400);
    expect(answer.text.split('\n')).toEqual([
      'name: expected string, got nothing',
      'tail: expected a whole number, got "many"',
      'follow: expected true or false, got "perhaps"',
      'since: expected a time such as 2026-01-31T12:00:00Z, got "yesterday"',
    ]);
  });

  describe('with follow', () => {
    it('answers at once, sends each line when it comes, and cancels when the client goes', async () => {
      const lines = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
      const cancelled = Promise.withResolvers<undefined>();
      gateway.provider.overrides.readLogs = async function* (_request, call) {
        call.signal.addEventListener('abort', () => cancelled.resolve(undefined));
        for (const { promise } of lines) yield line(await promise);
        await new Promise(() => undefined);
      };
      const answer = await gateway.open('GET', '/system/logs?name=echo&follow=true');
      expect(answer.statusCode).toBe(200);
      const chunks = answer.setEncoding('utf8')[Symbol.asyncIterator]();
      for (const [index, { resolve }] of lines.entries()) {
        resolve(`line ${index}`);
        expect(JSON.parse(String((await chunks.next()).value))).toMatchObject({ text: `line ${index}` });
      }
      answer.destroy();
      await cancelled.promise;
    });

    it('sets the provider no deadline', async () => {
      const deadline = Promise.withResolvers<Date | undefined>();
      gateway.provider.overrides.readLogs = async function* (_request, call) {
        deadline.resolve(call.deadline);
        yield line('only');
      };
      await gateway.send('GET', '/system/logs?name=echo&follow=1');
      expect(await deadline.promise).toBeUndefined();
    });

    it('holds the provider back while the client does not read', async () => {
      let sent = 0;
      const cancelled = Promise.withResolvers<undefined>();
      gateway.provider.overrides.readLogs = async function* (_request, call) {
        call.signal.addEventListener('abort', () => cancelled.resolve(undefined));
        // Without back-pressure this would not end before the memory does.
        for (; !call.signal.aborted; sent += 1) yield line('x'.repeat(64 * 1024));
      };
      const answer = await gateway.open('GET', '/system/logs?name=echo&follow=true');
      let read = 0;
      for await (const chunk of answer) {
        read += (chunk as Buffer).length;
        if (read > 10 * 64 * 1024) break;
      }
      await cancelled.promise;
      expect(sent).toBeLessThan(1_000);
    });

    it('breaks the connection off when the log breaks off, so that the client sees that something is missing', async () => {
      gateway.provider.overrides.readLogs = async function* () {
        yield line('first');
        throw new RpcError('unavailable', 'junctiond is gone');
      };
      const answer = await gateway.open('GET', '/system/logs?name=echo&follow=true');
      const read = async () => {
        for await (const chunk of answer) expect(String(chunk)).toContain('first');
      };
      await expect(read()).rejects.toThrow('aborted');
    });

    it('ends with the gateway', async () => {
      const other = await GatewayFixture.start();
      await other.send('POST', '/system/functions', { body: { service: 'echo', image: 'i' } });
      const answer = await other.open('GET', '/system/logs?name=echo&follow=true');
      const closed = other.close();
      for await (const chunk of answer) throw new Error(`unexpected ${String(chunk)}`);
      await closed;
      expect(answer.complete).toBe(true);
      await other.dispose();
    });
  });
});
