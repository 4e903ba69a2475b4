/** The commands that a hint may name and that mean one profile. */
const aboutProfile =
  /\bhush ((?:init|unlock|lock|set|get|list|delete|history|restore|purge|rename|copy)|(?:keys|slot|backup) [a-z]+)\b(?! -p)/g;

/** A hint for somebody who named a profile: the commands in it name that one too. */
export function forProfile(hint: string, profile: string | undefined): string {
  return profile === undefined ? hint : hint.replaceAll(aboutProfile, `hush $1 -p ${profile}`);
}
