/** How text begins that stands where a value is to come. */
const sample =
  /^(?:change[-_ ]?(?:me|this|it)|replace[-_ ]?(?:me|this|with)|(?:put|insert|enter|fill|your|my)[-_ ]|example|sample|dummy|placeholder|redacted|todo|tbd|fixme|\.\.\.)/i;

/** Words that say that there is no value. */
const absence =
  /^(?:none|null|nil|undefined|unset|empty|true|false|yes|no|on|off|n\/a|optional|required|default|masked|hidden|removed|inherit|read|write|test)$/i;

/** Templates, expansions and references of this and of other tools. */
const reference =
  /^(?:hush:\/\/|\$\{|\$\(|\$[A-Za-z_]|\{\{|<%|%\(|%[A-Za-z_][A-Za-z0-9_]*%|<[^<>]*>$|\[[^[\]]*\]$|!vault|ENC\[|vault:|op:\/\/|bws:|doppler:|awssm:|arn:aws:|gcpsm:|projects\/|ssm:|secretsmanager:|sops:|keyring:|env[:.(]|process\.env|os\.environ|ENV\[|file:|secret[Kk]eyRef|\$ANSIBLE_VAULT|@[A-Z]\w*\()/;

/** Repetitions of one character: `xxxxxxxx`, `********`. */
const repetition = /^(.)\1*$/;

const ending = /(?:[-_ ](?:here|goes[-_ ]here|placeholder|example|redacted)|\.\.\.)$/i;

/** Where a value is on the disk. */
const path =
  /^(?:(?:\/[a-z][a-z0-9_-]*)+$|(?:~|\.{1,2}|\/(?:etc|usr|var|run|home|root|opt|srv|mnt|tmp|dev|proc))\/|[\w.@-]+\/(?:[\w.@-]+\/)*[\w@-]+\.[a-z]{1,5}$)/;

/** How the keys end that AWS prints in its documents. */
const document = /EXAMPLE(?:KEY)?$/;

/** Whether a value is none yet: a sample, a template, or a reference to where the value is. */
export function isPlaceholder(value: string): boolean {
  const text = value.length > 200 ? value.slice(0, 200) : value;
  return (
    reference.test(text) ||
    sample.test(text) ||
    absence.test(text) ||
    (value.length <= 200 &&
      (repetition.test(text) || ending.test(text) || document.test(text) || path.test(text))) ||
    /\$\{[A-Za-z_]|\{\{|^\{\w+\}$/.test(text)
  );
}
