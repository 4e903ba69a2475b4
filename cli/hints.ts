/** The commands that a hint may name and that mean one profile. */
const aboutProfile =
  /\bhush (?:init|unlock|lock|set|get|list|delete|history|restore|purge|rename|copy|import|audit verify|(?:keys|slot|backup) [a-z]+|door (?:age )?[a-z-]+)\b/;

/** One command of a hint, up to where another may begin. */
const command = /\bhush (?:(?!\bhush ).)*/gs;

const namesProfile = /(?:^|\s)(?:-p|--profile)\b/;

/** A hint for somebody who named a profile: the commands in it that name none name that one too. */
export function forProfile(hint: string, profile: string | undefined): string {
  if (profile === undefined) return hint;
  return hint.replaceAll(command, (text) =>
    namesProfile.test(text) ? text : text.replace(aboutProfile, (named) => `${named} -p ${profile}`),
  );
}
