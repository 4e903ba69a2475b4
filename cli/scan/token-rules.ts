import type { Rule } from './finding.ts';

/** A secret that shows by its shape. */
export interface TokenRule extends Rule {
  /** How it begins, as a regular expression with little choice in it: one search looks for those of many rules. */
  readonly start: string;
  /** All of it; every repetition is bounded, and none stands in another, so that no text takes long. */
  readonly shape: RegExp;
  /** The group of the shape that holds the secret, which is none where it is a placeholder; all of it by default. */
  readonly group?: number;
}

const high = (id: string, what: string, start: string, shape: RegExp): TokenRule => ({
  id,
  severity: 'high',
  message: `${what} in plain text`,
  start,
  shape,
});

/** A password in an address. */
export const urlPassword: TokenRule = {
  ...high(
    'url-password',
    'a URL with a password',
    '://',
    /:\/\/[^\s:/?#@"'`<>]{0,128}:([^\s/?#@"'`<>]{1,256})@[A-Za-z0-9[$]/y,
  ),
  group: 1,
};

/** The secrets that are known by their shape, the longer starts before the shorter. */
export const tokenRules: readonly TokenRule[] = [
  high(
    'private-key',
    'a private key',
    '-----BEGIN',
    /-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----/y,
  ),
  high(
    'private-key',
    'a private key',
    'LS0tLS1CRUdJTi',
    /LS0tLS1CRUdJTi(?:BQUklWQVRF|BSU0EgUFJJVkFUR|BFQyBQUklWQVRF|BEU0EgUFJJVkFUR|BPUEVOU1NIIFBSSVZBVE|BFTkNSWVBURUQgUFJJVkFUR|BQR1AgUFJJVkFUR)/y,
  ),
  urlPassword,
  high('jwt', 'a signed token (JWT)', 'eyJ', /eyJ[\w-]{8,512}\.eyJ[\w-]{8,4096}\.[\w-]{16,1024}/y),
  high('aws-access-key-id', 'an AWS access key id', 'A[KS]IA', /A[KS]IA[A-Z2-7]{16}(?![A-Za-z0-9])/y),
  high('github-token', 'a GitHub token', 'gh[pousr]_', /gh[pousr]_[A-Za-z0-9]{36,255}/y),
  high('github-fine-grained-token', 'a GitHub token', 'github_pat_', /github_pat_\w{22,255}/y),
  high(
    'gitlab-token',
    'a GitLab token',
    'gl[a-z]{2}',
    /gl(?:pat|dt|ptt|rt|cbt|ft|imt|agent|oas|soat)-[\w.-]{20,255}/y,
  ),
  high('slack-token', 'a Slack token', 'xox[abeoprs]-', /xox[abeoprs]-[A-Za-z0-9-]{10,255}/y),
  high('slack-token', 'a Slack token', 'xapp-', /xapp-\d-[A-Za-z0-9-]{10,255}/y),
  high(
    'slack-webhook',
    'a Slack webhook',
    'hooks\\.slack\\.com/',
    /hooks\.slack\.com\/(?:services|workflows|triggers)\/[A-Za-z0-9/]{20,255}/y,
  ),
  high('stripe-key', 'a Stripe key', '[rs]k_live_', /[rs]k_live_[A-Za-z0-9]{10,255}/y),
  {
    id: 'stripe-test-key',
    severity: 'low',
    message: 'a Stripe test key in plain text',
    start: '[rs]k_test_',
    shape: /[rs]k_test_[A-Za-z0-9]{10,255}/y,
  },
  high('stripe-webhook-secret', 'a Stripe webhook secret', 'whsec_', /whsec_[A-Za-z0-9+/]{24,255}/y),
  high('google-api-key', 'a Google API key', 'AIza', /AIza[\w-]{35}(?![\w-])/y),
  high('google-oauth-secret', 'a Google OAuth secret', 'GOCSPX-', /GOCSPX-[\w-]{28}/y),
  high('npm-token', 'an npm token', 'npm_', /npm_[A-Za-z0-9]{36}(?!\w)/y),
  high('pypi-token', 'a PyPI token', 'pypi-', /pypi-[\w-]{50,1024}/y),
  high('anthropic-key', 'an Anthropic key', 'sk-ant-', /sk-ant-[\w-]{20,255}/y),
  high(
    'openai-key',
    'an OpenAI key',
    'sk-',
    /sk-(?:(?:proj|svcacct|admin|None)-[\w-]{20,255}|[A-Za-z0-9]{32,255}(?![\w-]))/y,
  ),
  high('twilio-key', 'a Twilio key', 'SK[0-9a-f]{6}', /SK[0-9a-f]{32}(?!\w)/y),
  high('sendgrid-key', 'a SendGrid key', 'SG\\.', /SG\.[\w-]{22}\.[\w-]{43}(?![\w-])/y),
  high('docker-token', 'a Docker token', 'dckr_', /dckr_[po]at_[\w-]{27,255}/y),
  high('huggingface-token', 'a Hugging Face token', 'hf_', /hf_[A-Za-z]{34}(?!\w)/y),
  high('vault-token', 'a HashiCorp Vault token', 'hv[sb]\\.', /hv[sb]\.[\w-]{24,512}/y),
  high('digitalocean-token', 'a DigitalOcean token', 'do[opr]_v1_', /do[opr]_v1_[0-9a-f]{64}/y),
  high('shopify-token', 'a Shopify token', 'shp[acps][ast]_', /shp[acps][ast]_[0-9a-fA-F]{32}/y),
  high(
    'azure-key',
    'a key in an Azure connection string',
    'AccountKey=',
    // Not the one of the emulator, the same everywhere.
    /AccountKey=(?!Eby8vdM02x)[A-Za-z0-9+/]{86}==/y,
  ),
  high(
    'azure-key',
    'a key in an Azure connection string',
    'SharedAccessKey=',
    /SharedAccessKey=[A-Za-z0-9+/]{43}=/y,
  ),
  {
    ...high(
      'connection-password',
      'a connection string with a password',
      '; ?[Pp](?:assword|wd)=',
      /; ?[Pp](?:assword|wd)=([^;"'\s]{3,256})/y,
    ),
    group: 1,
  },
  high('age-secret-key', 'an age identity', 'AGE-SECRET-KEY-', /AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{58,4096}/y),
  high(
    'hushd-client-key',
    'the key of a hushd client',
    'hushd-client ',
    /hushd-client \d{1,4}[^]{1,300}?private [0-9a-f]{64}/y,
  ),
  high(
    'hushd-recovery-key',
    'the recovery key of a hushd profile',
    'HR1[- ]',
    /HR1(?:[- ][0-9A-HJKMNP-TV-Z]{5}){14}(?![0-9A-Za-z])/y,
  ),
];
