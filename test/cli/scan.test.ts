import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { z } from 'zod';
import type { Format } from '../../cli/configure/formats.ts';
import { sarifOf } from '../../cli/scan/sarif.ts';
import { scanBuffer, scanFile, type ScannedFile } from '../../cli/scan/scan-file.ts';
import { allRules, scanText } from '../../cli/scan/scan-text.ts';
import { tokenRules } from '../../cli/scan/token-rules.ts';
import { isSecretName } from '../../cli/scan/value-rules.ts';
import { walk } from '../../cli/scan/walk.ts';
import { writeRecoveryKey } from '../../protocol/recovery-key.ts';

const folder = mkdtempSync(join(tmpdir(), 'hush-scan-'));
const buffer = scanBuffer();
after(() => rmSync(folder, { recursive: true }));

const rulesIn = (text: string, format?: Format): string[] =>
  scanText(text, format).hits.map(({ rule }) => rule.id);

function put(name: string, content: string | Uint8Array, mode: number): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

function scanned(name: string, content: string | Uint8Array, mode = 0o600): ScannedFile {
  const result = scanFile(put(name, content, mode), buffer);
  assert.ok(result !== undefined);
  return result;
}

const letters = (count: number): string => 'aB3dE5gH'.repeat(count).slice(0, count);
const upper = (count: number): string => 'Q7ZP2XK5'.repeat(count).slice(0, count);
const digits = (count: number): string => '0123456789abcdef'.repeat(count).slice(0, count);
const recoveryKey = (): string => {
  const text = new Uint8Array(new ArrayBuffer(87));
  writeRecoveryKey(randomBytes(32), text);
  return Buffer.from(text).toString();
};

/** One secret of each shape, put together here so that none stands in this file. */
const shapes: Readonly<Record<string, string>> = {
  'private-key': `-----BEGIN ${'RSA '.repeat(1)}PRIVATE KEY-----`,
  'url-password': `postgres://bob:${letters(9)}@db.example/x`,
  jwt: `eyJ${letters(20)}.eyJ${letters(40)}.${letters(43)}`,
  'aws-access-key-id': `AKIA${upper(16)}`,
  'github-token': `ghp_${letters(36)}`,
  'github-fine-grained-token': `github_pat_${letters(40)}`,
  'gitlab-token': `glpat-${letters(20)}`,
  'slack-token': `xoxb-${letters(24)}`,
  'slack-webhook': `hooks.slack.com/services/${letters(30)}`,
  'stripe-key': `sk_live_${letters(24)}`,
  'stripe-test-key': `sk_test_${letters(24)}`,
  'stripe-webhook-secret': `whsec_${letters(32)}`,
  'google-api-key': `AIza${letters(35)}`,
  'google-oauth-secret': `GOCSPX-${letters(28)}`,
  'npm-token': `npm_${letters(36)}`,
  'pypi-token': `pypi-${letters(60)}`,
  'anthropic-key': `sk-ant-api03-${letters(60)}`,
  'openai-key': `sk-proj-${letters(48)}`,
  'twilio-key': `SK${digits(32)}`,
  'sendgrid-key': `SG.${letters(22)}.${letters(43)}`,
  'docker-token': `dckr_pat_${letters(27)}`,
  'huggingface-token': `hf_${'aBcDeFgH'.repeat(5).slice(0, 34)}`,
  'vault-token': `hvs.${letters(30)}`,
  'digitalocean-token': `dop_v1_${digits(64)}`,
  'shopify-token': `shpat_${digits(32)}`,
  'azure-key': `AccountKey=${letters(86)}==`,
  'connection-password': `;Password=${letters(9)}`,
  'age-secret-key': `AGE-SECRET-KEY-1${upper(58)}`,
  'hushd-client-key': `hushd-client 1\nname shop\nprivate ${digits(64)}\n`,
  'hushd-recovery-key': recoveryKey(),
};

describe('hush scan', () => {
  test('knows a secret of each shape wherever it stands, and tells it once', () => {
    assert.deepEqual(Object.keys(shapes), [...new Set(tokenRules.map(({ id }) => id))]);
    for (const [rule, secret] of Object.entries(shapes)) {
      for (const text of [
        secret,
        `# ${secret}`,
        `a\n b "${secret}" c`,
        `key=${secret}\n`,
        JSON.stringify({ a: secret }),
      ]) {
        if (rule === 'hushd-client-key' && text.startsWith('{')) continue;
        assert.deepEqual(rulesIn(text), [rule], text);
      }
      if (rule === 'hushd-client-key') continue;
      assert.deepEqual(rulesIn(`password = "${secret}"\n`, 'toml'), [rule]);
      assert.deepEqual(rulesIn(`x${secret.startsWith('-') ? '' : 'y'}`), []);
    }
    assert.deepEqual(
      rulesIn(`task-${letters(40)} disk-${letters(40)} https://a:$\{PW}@b https://host:80/@x`),
      [],
    );
  });

  test('knows the names of secrets in any style of case, and not those of what is about them', () => {
    const names =
      'password dbPassword DB_PASSWORD db-password user.passwd PGPASSWORD secret client_secret clientSecret token accessToken GITHUB_TOKEN api_key apiKey apikey X-API-KEY private_key secretAccessKey credentials pwd db_pwd signing-key encryptionKey session_key passphrase _authToken DB_PASS dbPass smtp.pass pinCode //r.example/:_authToken';
    for (const name of names.split(' ')) assert.equal(isSecretName(name), true, name);
    const others =
      'user port token_ttl passwordFile secret_name tokenUrl key keyboard monkey author public_key publicKeyPath tokenizer password_min_length secret-id secretKeyRefName compass_heading bypass pass_filenames pin-github-action LoadCredential';
    for (const name of others.split(' ')) assert.equal(isSecretName(name), false, name);
  });

  test('finds values by their names in every format', () => {
    const value = 'hunter22';
    const texts: [Format, string, number][] = [
      [
        'toml',
        `[a]\npassword = "${value}" # x\nb.token = '${value}'\nc = { secret = "${value}", d = 1 }\n`,
        3,
      ],
      [
        'toml',
        `tokens = [ # list\n  "${value}",\n  "${value}2"\n]\nsecret = """\n${value}\nmore"""\nname = "x"\n`,
        3,
      ],
      [
        'yaml',
        `a:\n  password: ${value} # x\n  list:\n    - token: "${value}"\n  secret: |\n    ${value}\n    more words\n  n: {apiKey: ${value}, b: c}\n`,
        4,
      ],
      [
        'yaml',
        `tokens:\n- ${value}\n- ${value}\nname: x\nsecret: !!str &a ${value}\npassword:\n  ${value}\n`,
        4,
      ],
      [
        'json',
        `{"password":"${value}","n":[{"apiKey": "${value}"}], /* c */ "x": 1, "tokens": ["${value}"]}`,
        3,
      ],
      ['env', `export PASSWORD=${value} # x\nTOKEN="${value}"\nSECRET='${value}'\nNAME=x\n`, 3],
      ['ini', `[s]\npassword = ${value}\n; token = ${value}\nsecret: ${value}\n`, 2],
      ['properties', `db.password=${value}\napp.name: x\n`, 1],
    ];
    for (const [format, text, count] of texts) {
      assert.deepEqual(rulesIn(text, format), Array(count).fill('secret-name'), text);
      assert.deepEqual(
        rulesIn(text.replaceAll('\n', '\r\n'), format),
        Array(count).fill('secret-name'),
        text,
      );
    }
  });

  test('finds what is assigned within a value: in lists of variables, pairs of name and value, and blocks', () => {
    const value = 'hunter22';
    const texts: [Format, string, number][] = [
      ['yaml', `environment:\n  - DB_PASSWORD=${value}\n  - "TOKEN=${value}"\n  - DB_HOST=${value}\n`, 2],
      ['json', `{"Env": ["DB_PASSWORD=${value}"], "start": "TOKEN=${value} node ."}`, 2],
      [
        'yaml',
        `env:\n  - name: DB_PASSWORD\n    value: ${value}\n  - name: DB_HOST\n    value: ${value}\n`,
        1,
      ],
      [
        'json',
        `[{"Name": "DB_PASSWORD", "Value": "${value}"}, {"name": "x", "y": 1, "value": "${value}"}]`,
        1,
      ],
      [
        'yaml',
        `a.properties: |\n  host=db\n  db.password=${value}\nb.yml: |\n  x:\n    token: ${value}\n`,
        2,
      ],
      [
        'yaml',
        `run: |\n  export API_KEY="${value}"\n  tell the token: it is ${value}\n  token: it is ${value}\n`,
        1,
      ],
      ['toml', `a = '''\nhost=db\npassword=${value}\n'''\n`, 1],
      ['ini', `//registry.example:8443/:_authToken=${value}\n//r.example/:email=${value}\n`, 1],
    ];
    for (const [format, text, count] of texts) {
      assert.deepEqual(rulesIn(text, format), Array(count).fill('secret-name'), text);
    }
    assert.deepEqual(rulesIn(`{"a": "one\\n${shapes['github-token'] ?? ''}"}`), ['github-token']);
    for (const kind of ['', 'RSA ', 'EC ', 'DSA ', 'OPENSSH ', 'ENCRYPTED ', 'PGP ']) {
      const pem = Buffer.from(`-----BEGIN ${kind}PRIVATE KEY-----\nMII`).toString('base64');
      assert.deepEqual(rulesIn(`tls.key: ${pem}\n`, 'yaml'), ['private-key'], kind);
    }
    assert.deepEqual(rulesIn(`Endpoint=sb://x/;SharedAccessKey=${letters(43)}=`), ['azure-key']);
  });

  test('finds secrets behind any number of references, and in copies that editors and hush leave', () => {
    const lines = Array.from({ length: 1001 }, (_, index) => `A${index}=hush://default/global/a${index}\n`);
    const { findings, references, omitted } = scanned('r.env', `${lines.join('')}TOKEN=hunter22\n`);
    assert.deepEqual([findings[0]?.rule, references.length, omitted], ['secret-name', 1000, 1]);
    for (const name of [
      'a.toml.bak',
      '.a.env.0123456789ab',
      '.a.env.bak.0123456789ab',
      'a.ini~',
      '.env.old',
    ]) {
      assert.equal(scanned(name, 'token = "hunter22"\n').findings.length, 1, name);
    }
  });

  test('tells of a name that is no UTF-8, whose file it cannot open', () => {
    const strange = join(folder, 'strange');
    mkdirSync(strange);
    writeFileSync(
      Buffer.concat([Buffer.from(`${strange}/caf`), Buffer.of(0xe9), Buffer.from('.env')]),
      'A=b\n',
    );
    assert.deepEqual(
      [...walk(strange)].map(({ problem }) => problem),
      ['its name is no UTF-8'],
    );
  });

  test('passes over what stands for a value that is elsewhere, and over what is random and public', () => {
    const placeholders =
      '${TOKEN} $TOKEN {{ token }} <token> %(token)s hush://default/global/a changeme xxxxxxxx ******** your-token-here vault:secret/x op://v/i/f ENC[AES256,data] null true example-token {token} /etc/hushd/token ./token ^4.0.0 >=1.2 bin/token-tool.js /oauth/token write inherit wJalrXUtnEXAMPLEKEY';
    for (const value of placeholders.split(/ (?!token|\}\})/)) {
      assert.deepEqual(rulesIn(`token = "${value}"\n`, 'toml'), [], value);
    }
    const random = randomBytes(24).toString('base64');
    const hex = randomBytes(32).toString('hex');
    assert.deepEqual(
      rulesIn(`integrity: ${random}\nsha256: ${hex}\nid: 123e4567-e89b-12d3-a456-426614174000\n`, 'yaml'),
      [],
    );
    assert.deepEqual(rulesIn(`path: /usr/local/share/some/Path1/of/files\nmax_tokens: 4096\n`, 'yaml'), []);
    assert.deepEqual(rulesIn(`blob: ${hex}\n`, 'yaml'), ['high-entropy']);
    assert.deepEqual(
      rulesIn('{"Unexpected_token_1012": "Neočekávaný token.", "auth_key": "キー"}', 'json'),
      [],
    );
    assert.deepEqual(
      rulesIn('{"password": "two words", "token": "Bearer 0a1b2c3d4e5f6a7b"}', 'json'),
      Array(2).fill('secret-name'),
    );
    const packages =
      '{"js-tokens": "^8.0.2 || ^9", "rpassword": "7.3", "a-secret": "workspace:*", "gitHead": ';
    assert.deepEqual(rulesIn(`${packages}"${hex.slice(0, 40)}"}`, 'json'), []);
    const { references } = scanText(
      'hush://${P}/global/a hush://<profile>/a hush://{{p}}/a hush://a',
      undefined,
    );
    assert.deepEqual(
      references.map(({ text }) => text),
      ['hush://a'],
    );
  });

  test('tells line and column in characters, across the pieces in which a large file is read', () => {
    const filler = `${'# é '.repeat(30)}\n`.repeat(40_000);
    const { findings, references, bytes } = scanned(
      'large.toml',
      `${filler}"é.token" = "hunter22"\n${filler}b = "hush://default/global/x"\n${filler}`,
    );
    assert.ok(bytes > 3 * 4 * 1024 * 1024);
    assert.deepEqual(
      findings.map(({ line, column, rule }) => [line, column, rule]),
      [[40_001, 14, 'secret-name']],
    );
    assert.deepEqual(
      references.map(({ line, column, text }) => [line, column, text]),
      [[80_002, 6, 'hush://default/global/x']],
    );
    const oneLine = scanned('one.json', `{"a":[${'"é",'.repeat(2_000_000)}"x"],"token":"hunter22"}`);
    assert.deepEqual(
      oneLine.findings.map(({ line, column }) => [line, column]),
      [[1, 8_000_021]],
    );
  });

  test('speaks of modes of files with findings or references alone', () => {
    const rules = (name: string, text: string, mode: number): string[] =>
      scanned(name, text, mode).findings.map(({ rule }) => rule);
    assert.deepEqual(rules('a.env', 'TOKEN=hunter22\n', 0o644), ['secret-name', 'loose-mode']);
    assert.deepEqual(rules('b.env', 'TOKEN=hunter22\n', 0o600), ['secret-name']);
    assert.deepEqual(rules('c.env', 'TOKEN=hush://default/global/x\n', 0o644), []);
    assert.deepEqual(rules('d.env', 'TOKEN=hush://default/global/x\n', 0o664), ['loose-mode-references']);
    assert.deepEqual(rules('e.env', 'A=b\n', 0o666), []);
    assert.equal(scanFile('/dev/null', buffer), undefined);
  });

  test('never tells a value or a part of one, in any form, whatever the file holds', () => {
    const value = fc.oneof(
      fc.stringMatching(/^[A-Za-z0-9+/!#$%&]{12,40}$/),
      fc.constantFrom(...Object.values(shapes)),
      fc.string({ minLength: 12, unit: 'binary' }),
    );
    const key = fc.constantFrom('password', 'apiKey', 'x', 'DB_TOKEN', 'ref');
    const line = fc.tuple(
      key,
      fc.constantFrom(' = ', ': ', '=', '":"', ' '),
      fc.constantFrom('', '"', "'", '|\n  ', '{', 'hush://'),
      value,
    );
    const names = fc.constantFrom('f.toml', 'f.yaml', 'f.json', '.env', 'f.ini', 'f.properties', 'f.txt');
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 6 }), names, (lines, name) => {
        const path = put(name, lines.map((parts) => parts.join('')).join('\n'), 0o644);
        // Of what is no text nothing is told.
        const findings = scanFile(path, buffer)?.findings ?? [];
        const told = JSON.stringify([findings, sarifOf(findings, [], allRules([]), '1')]);
        for (const [, , , secret] of lines) {
          for (let at = 0; at + 8 <= secret.length; at += 1) {
            const part = secret.slice(at, at + 8);
            assert.equal(/\w{8}/.test(part) && told.includes(part), false);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  test('takes no longer than for other texts, whatever repeats in one', () => {
    const pieces = [
      'eyJ-',
      'eyJaaaaaaaa.',
      '://a:',
      '"',
      '\\"',
      ' ',
      'a: ',
      '{',
      '[',
      '-----BEGIN ',
      "password='x ",
      'gho_',
      'glpat-',
      'hush://',
      'hushd-client 1\n',
      'HR1-AAAAA',
      'a=',
      '\n- ',
      ';Password=',
      '|\n  a=b: ',
      '--a=',
      '|',
      'A',
      '/*\n',
    ];
    const size = 200_000;
    for (const piece of pieces) {
      const text = piece.repeat(Math.ceil(size / piece.length));
      for (const [format, start] of [
        ['json', ''],
        ['yaml', ''],
        ['yaml', 'a: [\n'],
      ] as const) {
        const startedAt = process.cpuUsage();
        scanText(start + text, format);
        const { user } = process.cpuUsage(startedAt);
        // A search that goes back over what it has seen, or looks ahead to the end, would take minutes.
        assert.ok(user < 1_500_000, `${JSON.stringify(start + piece)} as ${format}: ${user} us`);
      }
    }
  });

  test('writes SARIF that names rules, places and levels', () => {
    const shape = z.strictObject({
      $schema: z.url(),
      version: z.literal('2.1.0'),
      runs: z.tuple([
        z.strictObject({
          tool: z.strictObject({
            driver: z.strictObject({
              name: z.string(),
              version: z.string(),
              rules: z.array(
                z.strictObject({
                  id: z.string(),
                  shortDescription: z.strictObject({ text: z.string().min(1) }),
                  defaultConfiguration: z.strictObject({ level: z.enum(['error', 'warning', 'note']) }),
                }),
              ),
            }),
          }),
          invocations: z.tuple([
            z.strictObject({
              executionSuccessful: z.literal(false),
              toolExecutionNotifications: z.array(
                z.strictObject({
                  level: z.literal('error'),
                  message: z.strictObject({ text: z.string().min(1) }),
                  locations: z.array(
                    z.strictObject({
                      physicalLocation: z.strictObject({
                        artifactLocation: z.strictObject({ uri: z.string() }),
                      }),
                    }),
                  ),
                }),
              ),
            }),
          ]),
          columnKind: z.literal('unicodeCodePoints'),
          results: z.array(
            z.strictObject({
              ruleId: z.string(),
              ruleIndex: z.int().min(0),
              level: z.enum(['error', 'warning', 'note']),
              message: z.strictObject({ text: z.string().min(1) }),
              locations: z.tuple([
                z.strictObject({
                  physicalLocation: z.strictObject({
                    artifactLocation: z.strictObject({ uri: z.string() }),
                    region: z.strictObject({ startLine: z.int().min(1), startColumn: z.int().min(1) }),
                  }),
                }),
              ]),
            }),
          ),
        }),
      ]),
    });
    const rules = allRules([]);
    const findings = rules.map(({ id, severity, message }, index) => ({
      file: 'a b/ü#.env',
      line: index + 1,
      column: 1,
      rule: id,
      severity,
      message,
    }));
    const { runs } = shape.parse(sarifOf(findings, [{ file: 'a.env', reason: 'x' }], rules, '1.0.0'));
    const [{ results, tool }] = runs;
    assert.deepEqual(
      results.map(({ ruleId, ruleIndex }) => tool.driver.rules[ruleIndex]?.id === ruleId).includes(false),
      false,
    );
    assert.equal(results[0]?.locations[0].physicalLocation.artifactLocation.uri, 'a%20b/%C3%BC%23.env');
  });
});
