import { isPlaceholder } from './placeholders.ts';
import type { Rule } from './finding.ts';

/** A value as a line assigns it. */
export interface Assigned {
  /** The name that it has; empty in a list without one. */
  readonly key: string;
  readonly value: string;
}

/** Rules that look at one value and its name. */
export const valueRules = {
  awsSecretKey: {
    id: 'aws-secret-access-key',
    severity: 'high',
    message: 'an AWS secret access key in plain text',
  },
  secretName: {
    id: 'secret-name',
    severity: 'medium',
    message: 'a value in plain text whose name says that it is a secret',
  },
  entropy: {
    id: 'high-entropy',
    severity: 'low',
    message: 'a value that looks random, as keys and tokens do',
  },
} as const satisfies Record<string, Rule>;

/** The rule that a value falls under, if any does. `namesSecret` is `isSecretName`, or what remembers its answers. */
export function ruleOfValue(
  { key, value }: Assigned,
  namesSecret: (key: string) => boolean = isSecretName,
): Rule | undefined {
  if (value.length < 3) return undefined;
  if (namesSecret(key) && !isPlaceholder(value) && !isAmount(key, value) && !isProse(key, value)) {
    return isAwsSecret(key, value) ? valueRules.awsSecretKey : valueRules.secretName;
  }
  return value.length >= 20 &&
    mayBeRandom(value) &&
    !namesHash.test(key) &&
    isRandom(value) &&
    !isPlaceholder(value)
    ? valueRules.entropy
    : undefined;
}

/** In any case style: `dbPassword`, `DB_PASSWORD`, `db-password`, `db.password`. */
const secretWord = new RegExp(
  [
    'pass[_. -]?(?:word|wd|phrase|code)',
    '(?:^|[^a-z])(?:pass|pin|pin[_. -]?code)$',
    'secret',
    'token',
    'cred(?:s\\b|ential)',
    '(?:api|access|auth|private|priv|signing|sign|encryption|encrypt|master|secure|account|storage|shared|session|cipher|crypto|ssh|license|app|service)[_. -]?key',
    '(?:^|[^a-z])(?:pwd|pw|psk)(?:$|[^a-z])',
    'pwd$',
    'salt$',
    'conn(?:ection)?[_. -]?str(?:ing)?$',
    '(?:^|[_. -])_?auth$',
    '_authToken',
  ].join('|'),
  'i',
);

/** Words that are short enough to be a part of others: `dbPass`, and not `bypass`. */
const secretHump = /[a-z0-9](?:Pass|Pin|PinCode)$/;

/** The last word of what is about a secret, and none itself: `token_ttl`, `passwordFile`, `secret-name`. */
const lastWordsAbout =
  'file|files|path|paths|dir|folder|url|uri|endpoint|host|name|names|id|ids|ttl|age|expiry|expires|expiration|in|lifetime|' +
  'duration|timeout|interval|length|len|size|min|max|count|limit|policy|type|kind|algorithm|alg|algo|method|header|prefix|' +
  'suffix|field|param|env|var|variable|ref|label|title|placeholder|hint|message|regex|pattern|format|enabled|disabled|' +
  'required|allowed|rotation|version|issuer|audience|scope|scopes|strategy|provider|store|manager|mode|usage|budget|at|' +
  'description|help|hash|digest|days|hours|minutes|seconds';

const aboutSecret = new RegExp(
  `(?:^|[_. -])(?:${lastWordsAbout})$|public|tokeni[sz]|secretary|passwordless|^(?:load|import)_?credential`,
  'i',
);

/** Whether a name is one of a secret. */
export function isSecretName(key: string): boolean {
  if (!secretWord.test(key) && !secretHump.test(key)) return false;
  return !aboutSecret.test(key.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2'));
}

/** `max_tokens: 4096` and `js-tokens: ^4.0.0` are no secrets, and `password: 123456` is one. */
const isAmount = (key: string, value: string): boolean =>
  /^[\d._]+$/.test(value) ? value.includes('.') || !/pass|pwd|pin|psk/i.test(key) : isVersion(value);

/** Messages about tokens and keys, which are themselves ASCII without blanks; in a passphrase there may be any. */
const isProse = (key: string, value: string): boolean =>
  /[ \x80-\xff]/.test(value) &&
  !/pass|pwd|secret|cred/i.test(key) &&
  !value.split(' ', 64).some((word) => word.length >= 16 && /^[!-~]*\d[!-~]*$/.test(word));

const version = /^(?:|(?:npm|workspace):[^:]*|(?:[~^<>=v!]+\d+|\d+\.[\dx*]+)(?:\.[\dx*]+)*(?:[-+][\w.]+)?)$/;

/** Whether it is a version of a package or a range of them: `^4.0.0 || ^5`, `>=1.2 <2`, `workspace:*`. */
const isVersion = (value: string): boolean =>
  value.length <= 60 && value.split(/[ ,|]+/).every((one) => version.test(one));

const isAwsSecret = (key: string, value: string): boolean =>
  /secret.?access.?key|aws.{0,8}secret/i.test(key) && /^[A-Za-z0-9/+=]{40}$/.test(value);

/** Names of what is random and meant to be seen. */
const namesHash =
  /[Hh]ash|sha\d|[Dd]igest|[Cc]hecksum|integrity|[Cc]ommit|[Rr]evision|\brev\b|git_?[Hh]ead|etag|[Ff]ingerprint|[Pp]ublic|cert|uuid|guid|nonce|resolved|[Ss]ignature|[Tt]humbprint|\/|\bid$|_id$|Id$/;

const uuid = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
const hex = /^(?:0x)?[0-9a-fA-F]{32,}$/;
/** Base64 of both alphabets, and hex. */
const base64 = /^[A-Za-z0-9+/_-]{20,}={0,2}$/;

/** Whether it is one run of the characters of which keys are written. */
const mayBeRandom = (value: string): boolean => base64.test(value);

/** Bits a character that base64 of random bytes has at least, by length; words and paths have less. */
function isRandom(value: string): boolean {
  if (value.length > 4096 || uuid.test(value)) return false;
  if (hex.test(value)) return entropyOf(value) > 3;
  if (!hasMixture(value)) return false;
  return entropyOf(value) > (value.length < 32 ? 4 : 4.4);
}

/** Digits, upper and lower case: words joined together do not have them all, nor do paths. */
const hasMixture = (value: string): boolean =>
  /\d/.test(value) && /[a-z]/.test(value) && /[A-Z]/.test(value) && !/^\/|\/[a-z]{3,12}\//.test(value);

/** Shannon's entropy of the characters of a text (latin1), in bits a character. */
function entropyOf(text: string): number {
  const counts = new Uint16Array(256);
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at) & 0xff;
    counts[code] = (counts[code] ?? 0) + 1;
  }
  let sum = 0;
  for (const count of counts) if (count > 1) sum += count * Math.log2(count);
  return Math.log2(text.length) - sum / text.length;
}
