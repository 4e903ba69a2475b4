import { HushError } from '../../protocol/errors.ts';

const variablePattern = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Whether the text can be the name of an environment variable: letters, digits and `_`, no digit first. */
export function isVariableName(text: string): boolean {
  return text.length <= 255 && variablePattern.test(text);
}

/**
 * The variable that a secret's name stands for: in upper case, each character that is no letter, digit or `_` as `_`,
 * behind the prefix as it is typed. Where a digit would come first, a `_` comes before it.
 */
export function variableOf(name: string, prefix = ''): string {
  const variable = prefix + name.toUpperCase().replaceAll(/[^A-Z0-9_]/g, '_');
  return /^\d/.test(variable) ? `_${variable}` : variable;
}

/** The value of `--prefix`. Throws BAD_REQUEST. */
export function parsePrefix(text: string): string {
  if (text === '' || isVariableName(text)) return text;
  throw new HushError('BAD_REQUEST', 'the text after --prefix cannot begin the name of a variable', {
    hint: 'a prefix is letters, digits and _, and begins with no digit',
  });
}

/** One secret and the variable that it becomes, as `--map NAME=ENV` says it. */
export interface Mapping {
  readonly name: string;
  readonly variable: string;
}

/** The value of `--map`. Throws BAD_REQUEST. */
export function parseMapping(text: string): Mapping {
  const [, name, variable] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name !== undefined && variable !== undefined && isVariableName(variable)) return { name, variable };
  throw new HushError('BAD_REQUEST', 'what follows --map is not NAME=ENV', {
    hint: 'NAME is the name of a secret in the scope, ENV a variable: letters, digits and _, no digit first',
  });
}
