import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';

import { parseClientKey, writeClientKey } from '../../noise/client-key.ts';
import { parseDaemonKey, writeDaemonKey } from '../../noise/daemon-key.ts';
import {
  type EnrolledClient,
  longestClientsFile,
  mostClients,
  parseClients,
  writeClients,
} from '../../noise/enrolled.ts';
import { publicKeyOf } from '../../noise/x25519.ts';
import { HushError } from '../../protocol/errors.ts';
import {
  bytesOf,
  clientPublic,
  clientStatic,
  daemonPublic,
  daemonStatic,
  flipBit,
  hexOf,
  keyOf,
  textOf,
  withCode,
} from './fixtures.ts';

const owned = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => Uint8Array.from(bytes);
const clientKey = {
  name: 'ci-runner',
  privateKey: owned(clientStatic),
  publicKey: owned(clientPublic),
  daemonKey: owned(daemonPublic),
};
const text = textOf(writeClientKey(clientKey));
const nameOf = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/);
const key32 = fc.uint8Array({ minLength: 32, maxLength: 32 });

/** What is wrong with a client key of this text. */
function faultOf(given: string | Uint8Array): string {
  try {
    parseClientKey(typeof given === 'string' ? bytesOf(given) : given);
  } catch (error) {
    assert.ok(error instanceof HushError, String(error));
    assert.equal(error.code, 'DAMAGED');
    assert.match(error.hint, /hush client add/);
    assert.ok(!error.message.includes(hexOf(clientStatic).slice(0, 8)), 'the error holds a key');
    return error.message;
  }
  return assert.fail('the client key was taken');
}

/** A text with its checksum made right again. */
function resummed(changed: string): string {
  const body = changed.slice(0, changed.indexOf('checksum '));
  return `${body}checksum ${createHash('sha256').update(body).digest('hex')}\n`;
}

describe('the key file of an enrolled client', () => {
  test('it is six lines of text that say what they are', () => {
    const lines = [
      'hushd-client 1',
      'name ci-runner',
      `private ${hexOf(clientStatic)}`,
      `public ${hexOf(clientPublic)}`,
      `daemon ${hexOf(daemonPublic)}`,
    ].map((line) => `${line}\n`);
    const checksum = createHash('sha256').update(lines.join('')).digest('hex');
    assert.equal(text, `${lines.join('')}checksum ${checksum}\n`);
  });

  test('any key comes back as it was written, with and without the last line feed', () => {
    const property = fc.property(nameOf, key32, key32, fc.boolean(), (name, own, other, whole) => {
      const key = {
        name,
        privateKey: owned(own),
        publicKey: publicKeyOf(own),
        daemonKey: publicKeyOf(other),
      };
      const file = writeClientKey(key);
      assert.deepEqual(parseClientKey(whole ? file : file.subarray(0, -1)), key);
    });
    fc.assert(property);
  });

  test('a name that is none is not written', () => {
    for (const name of ['', '../x', 'a b', 'a\nprivate 00', 'x'.repeat(65)]) {
      assert.throws(() => writeClientKey({ ...clientKey, name }), withCode('INVALID_NAME'));
    }
  });

  test('any bit changed, any byte left out or put in, and any cut is noticed', () => {
    const file = bytesOf(text);
    for (let bit = 0; bit < 8 * file.byteLength; bit++) {
      // The last line feed may be missing, and here it becomes another character.
      const changed = flipBit(file, bit);
      assert.throws(
        () => parseClientKey(changed),
        (error: unknown) => error instanceof HushError && ['DAMAGED', 'NEWER_FORMAT'].includes(error.code),
        `bit ${bit}`,
      );
    }
    for (let at = 0; at < file.byteLength - 1; at++) {
      faultOf(file.subarray(0, at));
      faultOf(Buffer.concat([file.subarray(0, at), file.subarray(at + 1)]));
      faultOf(Buffer.concat([file.subarray(0, at), bytesOf('x'), file.subarray(at)]));
    }
  });

  test('a fault is named as closely as it can be', () => {
    const other = (digit: string): string => (digit === '0' ? '1' : '0');
    const mistyped = (word: string): string =>
      text.replace(
        new RegExp(`^(${word} .{9})(.)`, 'm'),
        (_, head: string, digit: string) => head + other(digit),
      );
    const lines = text.split('\n');
    for (const [given, fault] of [
      ['', /it is empty/],
      [' '.repeat(2000), /more than 1024 bytes/],
      ['hello\n', /first line is not hushd-client 1/],
      [textOf(writeDaemonKey({ ...clientKey })), /first line is not hushd-client 1/],
      [text.replaceAll('\n', '\r\n'), /line 1 ends in CR LF/],
      [text.replace('name', 'nome'), /line 2 is not name/],
      [text.replace('private ', 'private'), /line 3 is not private/],
      [`${lines.slice(0, 4).join('\n')}\n`, /line 5 is not daemon/],
      [`${text}more\n`, /something follows line 6/],
      [text.replace(/^private .*$/m, 'private 00'), /follows private is not 64 hex digits/],
      [
        text.replace(/^public .*$/m, (line) => line.toUpperCase().replace('PUBLIC', 'public')),
        /follows public/,
      ],
      [text.replace(/^daemon .*$/m, (line) => `${line}0`), /follows daemon is not 64 hex/],
      [text.replace(/^checksum .{10}/m, 'checksum xxxxxxxxxx'), /follows checksum is not 64 hex/],
      [mistyped('private'), /private or of public is mistyped/],
      [mistyped('public'), /private or of public is mistyped/],
      [mistyped('daemon'), /name or daemon or checksum is mistyped/],
      [mistyped('checksum'), /name or daemon or checksum is mistyped/],
      [text.replace('ci-runner', 'ci-runmer'), /name or daemon or checksum is mistyped/],
      [resummed(text.replace('ci-runner', '../x')), /the name in the client key is none/],
      [
        resummed(text.replace(/^daemon .*$/m, `daemon ${'0'.repeat(64)}`)),
        /daemon in the client key is no public key/,
      ],
    ] as const) {
      assert.match(faultOf(given), fault);
    }
  });

  test('a form of a later release is named, and so is ours', () => {
    for (const number of ['2', '10', '999999999']) {
      assert.throws(
        () => parseClientKey(bytesOf(text.replace('hushd-client 1', `hushd-client ${number}`))),
        withCode('NEWER_FORMAT', new RegExp(`form ${number}, .* reads 1`)),
      );
    }
    for (const number of ['0', '01', '-1', '1.5', 'one', '1 ', '9999999999']) {
      assert.match(faultOf(text.replace('hushd-client 1', `hushd-client ${number}`)), /first line/);
    }
  });

  test('any bytes are a key file or a named error', () => {
    const word = fc.constantFrom(
      'hushd-client 1',
      'name a',
      'private ',
      'public ',
      'daemon ',
      'checksum ',
      '0'.repeat(64),
      '\n',
    );
    const property = fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 600 }),
        fc.array(word, { maxLength: 20 }).map((words) => bytesOf(words.join(''))),
      ),
      (bytes) => {
        faultOf(bytes);
      },
    );
    fc.assert(property);
  });
});

describe('the key file of the daemon', () => {
  test('any key comes back as it was written, and any changed bit is noticed', () => {
    const property = fc.property(key32, (own) => {
      const key = { privateKey: owned(own), publicKey: publicKeyOf(own) };
      assert.deepEqual(parseDaemonKey(writeDaemonKey(key)), key);
    });
    fc.assert(property);
    const file = writeDaemonKey({ privateKey: owned(daemonStatic), publicKey: owned(daemonPublic) });
    for (let bit = 0; bit < 8 * file.byteLength; bit++) {
      assert.throws(() => parseDaemonKey(flipBit(file, bit)), HushError, `bit ${bit}`);
    }
    assert.throws(() => parseDaemonKey(bytesOf(text)), withCode('DAMAGED'));
  });
});

const client = (name: string, over: Partial<EnrolledClient> = {}): EnrolledClient => ({
  name,
  public: hexOf(publicKeyOf(keyOf(name))),
  createdAt: '2026-01-02T03:04:05.678Z',
  by: 'owner',
  ...over,
});

describe('the file of enrolled clients', () => {
  test('it is a first line and one line of JSON a client', () => {
    const file = textOf(writeClients([client('a'), client('b')]));
    assert.equal(
      file,
      `hushd-clients 1\n${[client('a'), client('b')].map((each) => `${JSON.stringify(each)}\n`).join('')}`,
    );
    assert.equal(textOf(writeClients([])), 'hushd-clients 1\n');
  });

  test('any list comes back as it was written', () => {
    const property = fc.property(
      fc.uniqueArray(fc.tuple(nameOf, fc.string({ minLength: 1, maxLength: 128 })), {
        maxLength: 8,
        selector: ([name]) => name,
      }),
      (entries) => {
        const clients = entries.map(([name, by]) => client(name, { by: by.toWellFormed() }));
        assert.deepEqual(parseClients(writeClients(clients)), clients);
      },
    );
    fc.assert(property, { numRuns: 50 });
  });

  test('a fault is named with its line', () => {
    const good = JSON.stringify(client('a'));
    const line = (over: object): string => JSON.stringify({ ...client('b'), ...over });
    for (const [body, fault] of [
      ['', /first line is not hushd-clients 1/],
      ['hushd-client 1\n', /first line/],
      ['\ufeffhushd-clients 1\n', /first line/],
      ['hushd-clients 0\n', /first line/],
      ['hushd-clients 1', /last line is cut off/],
      [`hushd-clients 1\n${good}`, /last line is cut off/],
      [`hushd-clients 1\n${good}\n{\n`, /line 3 is no JSON/],
      [`hushd-clients 1\n\n${good}\n`, /line 2 is no JSON/],
      [`hushd-clients 1\nnull\n`, /line 2 is no client/],
      [`hushd-clients 1\n[]\n`, /line 2 is no client/],
      [`hushd-clients 1\n${good}\n${line({ name: '../b' })}\n`, /line 3 is no client: name/],
      [`hushd-clients 1\n${good}\n${line({ public: '00' })}\n`, /line 3 is no client: public/],
      [`hushd-clients 1\n${good}\n${line({ public: '0'.repeat(64) })}\n`, /line 3 is no client: public/],
      [`hushd-clients 1\n${good}\n${line({ createdAt: 'today' })}\n`, /line 3 is no client: createdAt/],
      [`hushd-clients 1\n${good}\n${line({ by: '' })}\n`, /line 3 is no client: by/],
      [`hushd-clients 1\n${good}\n${line({ more: 1 })}\n`, /line 3 is no client/],
      [`hushd-clients 1\n${good}\n${line({ name: 'a' })}\n`, /line 3 has a name or key of a line before it/],
      [`hushd-clients 1\n${good}\n${line({ public: client('a').public })}\n`, /line 3 has a name or key/],
    ] as const) {
      assert.throws(() => parseClients(bytesOf(body)), withCode('DAMAGED', fault), body);
    }
    assert.throws(() => parseClients(Uint8Array.of(0xff)), withCode('DAMAGED'));
    assert.throws(() => parseClients(bytesOf('hushd-clients 2\nwhatever')), withCode('NEWER_FORMAT'));
  });

  test('any cut is noticed, or leaves whole lines', () => {
    const clients = [client('a'), client('b'), client('c')];
    const file = writeClients(clients);
    for (let length = 0; length < file.byteLength; length++) {
      try {
        const left = parseClients(file.subarray(0, length));
        assert.deepEqual(left, clients.slice(0, left.length));
        assert.equal(file[length - 1], 0x0a);
      } catch (error) {
        withCode('DAMAGED')(error);
      }
    }
  });

  test('what could not be read again is not written: a twin, a wrong entry, too many', () => {
    assert.throws(
      () => writeClients([client('a'), client('a', { public: client('b').public })]),
      withCode('EXISTS'),
    );
    assert.throws(
      () => writeClients([client('a'), client('b', { public: client('a').public })]),
      withCode('EXISTS'),
    );
    for (const wrong of [{ name: '../a' }, { public: '00' }, { createdAt: 'now' }, { by: '' }]) {
      assert.throws(() => writeClients([client('a', wrong)]), withCode('BAD_REQUEST'));
    }
    const many = Array.from({ length: mostClients + 1 }, (_, index) => client(`c${index}`));
    assert.throws(() => writeClients(many), withCode('LIMIT_EXCEEDED'));
    assert.throws(() => parseClients(new Uint8Array(longestClientsFile + 1)), withCode('DAMAGED'));
    assert.equal(parseClients(writeClients(many.slice(1))).length, mostClients);
  });

  test('any text is a list or a named error', () => {
    const property = fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (body) => {
      assert.throws(() => parseClients(bytesOf(`hushd-clients 1\n${body}x`)), withCode('DAMAGED'));
    });
    fc.assert(property);
  });
});
