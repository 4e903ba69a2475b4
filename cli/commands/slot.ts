import { diskError } from '../../daemon/home/disk-errors.ts';
import type { Define } from '../commands.ts';
import { withLines, type Credential } from '../credentials.ts';
import { withDaemon, type Daemon } from '../daemon.ts';
import {
  addNewSecretOptions,
  kindOfNew,
  showRecoveryKey,
  withNewSecret,
  type NewSecretOptions,
} from '../new-secret.ts';
import type { Output } from '../output.ts';
import { mayGoAhead } from '../prompts.ts';
import { addProofOptions, proofHelp, withProof, type ProofOptions } from '../proof.ts';
import {
  checkLabel,
  combinationText,
  groupMeant,
  listLines,
  opensWithOf,
  revocationText,
  slotMeant,
  slotText,
  type SlotEntry,
  type SlotList,
} from '../slots.ts';
import { profileOf, type ProfileOption } from '../target.ts';
import { badUsage } from '../usage.ts';

interface AddOptions extends ProfileOption, NewSecretOptions {
  readonly recovery?: true;
  readonly label?: string;
}

interface YesOption extends ProfileOption {
  readonly yes?: true;
}

/** A profile whose slots are to be looked at or changed. */
interface Place {
  readonly daemon: Daemon;
  readonly profile: string;
  readonly list: SlotList;
}

export const define: Define = (command, { output, finish }) => {
  command.addHelpText('after', examples);

  command
    .command('list')
    .description('what opens the profile')
    .addHelpText('after', '\nExamples:\n  hush slot list\n  hush slot list -p work --json')
    .action(async (options: ProfileOption) => {
      await atPlace(options, ({ profile, list }) =>
        output.facts({ profile, ...list }, listLines(profile, list)),
      );
    });

  const adding = command.command('add').description('let something more open the profile');
  const addProof = addProofOptions(adding, '--by-recovery');
  addNewSecretOptions(adding);
  adding
    .option('--recovery', 'the new secret is a recovery key, made and shown once')
    .option('--label <text>', 'what to call it (else by its kind)', checkLabel)
    .addHelpText('after', `${proofHelp}\nThe new passphrase is the last line.${addExamples}`)
    .action((options: AddOptions) => atPlace(options, (place) => add(place, options, addProof(), output)));

  const changing = command
    .command('change')
    .description('give a slot another passphrase, key or recovery key')
    .argument('[slot]', 'its label or id; else the one that is opened with');
  const changeProof = addProofOptions(changing, '--by-recovery');
  addNewSecretOptions(changing);
  changing
    .addHelpText('after', `${proofHelp}\nThe new passphrase is the last line.${changeExamples}`)
    .action((word: string | undefined, options: ProfileOption & NewSecretOptions) =>
      atPlace(options, (place) => change(place, word, options, changeProof(), output)),
    );

  command
    .command('remove')
    .description('let a slot open the profile no longer')
    .argument('<slot>', 'its label or id')
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', '\nExamples:\n  hush slot remove server')
    .action((word: string, options: YesOption) =>
      atPlace(options, async ({ daemon, profile, list }) => {
        const slot = slotMeant(list, word);
        if (!(await mayGoAhead(`Remove ${slotText(slot)} of profile ${profile}?`, options.yes))) {
          finish(1);
          return output.note('nothing was removed');
        }
        await daemon.call('slot.remove', { profile, slot: slot.id });
        const text = `${slotText(slot)} opens profile ${profile} no longer`;
        await output.facts({ profile, ...nameOf(slot), removed: true }, [text]);
        await output.note(revocationText);
      }),
    );

  command
    .command('rename')
    .description('call a slot something else')
    .argument('<slot>', 'its label or id')
    .argument('<label>', 'what to call it')
    .addHelpText('after', '\nExamples:\n  hush slot rename recovery "paper in the safe"')
    .action((word: string, text: string, options: ProfileOption) =>
      atPlace(options, async ({ daemon, profile, list }) => {
        const slot = slotMeant(list, word);
        const label = checkLabel(text);
        await daemon.call('slot.rename', { profile, slot: slot.id, label });
        await output.facts({ profile, ...nameOf({ ...slot, label }) }, [
          `${slotText(slot)} is now ${slotText({ ...slot, label })}`,
        ]);
      }),
    );

  const grouping = command
    .command('group')
    .description('let two to four slots open the profile only together')
    .argument('<slots...>', 'their labels or ids');
  const groupProof = addProofOptions(grouping, '--by-recovery');
  grouping
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', `${proofHelp}${groupExamples}`)
    .action((words: string[], options: YesOption) => {
      if (words.length < 2 || words.length > 4) throw badUsage('a group has two to four slots', 'slot group');
      return atPlace(options, async (place) => {
        const { profile, list } = place;
        const slots = words.map((word) => slotMeant(list, word).id);
        const together = combinationText(list, slots);
        const question = `From now on ${together}, and none of them alone. Go ahead?`;
        if (!(await mayGoAhead(question, options.yes))) {
          finish(1);
          return output.note('nothing was grouped');
        }
        const { group } = await proved(place, groupProof(), (daemon, credentials) =>
          daemon.call('slot.group', { profile, credentials, slots }),
        );
        await output.facts({ profile, group, slots }, [`profile ${profile} opens with ${together}`]);
        await output.note(revocationText);
      });
    });

  const ungrouping = command
    .command('ungroup')
    .description('end a group: each member that is in no other opens alone again')
    .argument('<group...>', 'members that are in no other group together, or its id');
  const ungroupProof = addProofOptions(ungrouping, '--by-recovery');
  ungrouping
    .addHelpText('after', `${proofHelp}${ungroupExamples}`)
    .action((words: string[], options: ProfileOption) =>
      atPlace(options, async (place) => {
        const { profile, list } = place;
        const group = groupMeant(list, words);
        const { alone } = await proved(place, ungroupProof(), (daemon, credentials) =>
          daemon.call('slot.ungroup', { profile, credentials, group: group.id }),
        );
        const lines = alone.map((id) => `${slotText(slotMeant(list, id))} opens profile ${profile} alone`);
        await output.facts({ profile, group: group.id, alone }, [
          `the group of ${combinationText(list, group.slots)} is ended`,
          ...lines,
        ]);
      }),
    );
};

const examples = `
A slot holds a passphrase, a 32-byte key or a recovery key. Each opens the profile alone, or in a group.
The help of each: hush slot add --help

Examples:
  hush slot list
  hush slot add --recovery
  hush slot change
  hush slot remove server`;

const addExamples = `

Examples:
  hush slot add --label alice
  hush slot add --recovery
  hush slot add --new-key-file server.key --generate --label server
  printf '%s\\n' "$OLD" "$NEW" | hush slot add --passphrase-stdin
  printf '%s\\n' "$NEW" | hush slot add --key-file work.key`;

const changeExamples = `

Examples:
  hush slot change
  hush slot change alice --by-recovery
  hush slot change server --new-key-file next.key --generate
  printf '%s\\n' "$OLD" "$NEW" | hush slot change --passphrase-stdin`;

const groupExamples = `

Examples:
  hush slot group alice bob
  printf '%s\\n' "$ALICE" | hush slot group alice server --passphrase-stdin`;

const ungroupExamples = `
It takes what opens the profile now: all members of the group together, or something else that does.

Examples:
  hush slot ungroup alice bob
  printf '%s\\n' "$ALICE" "$BOB" | hush slot ungroup alice --passphrase-stdin --passphrase-stdin`;

type NamedSlot = Pick<SlotEntry, 'id' | 'kind' | 'label'>;

const nameOf = ({ id, kind, label }: NamedSlot): NamedSlot => ({ id, kind, label });

/** Runs `use` with the slots as they are, which tells a locked profile before anybody types anything. */
function atPlace(options: ProfileOption, use: (place: Place) => Promise<void>): Promise<void> {
  const profile = profileOf(options, process.env);
  return withDaemon(async (daemon) =>
    use({ daemon, profile, list: await daemon.call('slot.list', { profile }) }),
  );
}

/** Runs `use` with credentials that open the profile. */
function proved<Result>(
  { daemon, profile, list }: Place,
  proof: ProofOptions,
  use: (daemon: Daemon, credentials: Credential[]) => Promise<Result>,
): Promise<Result> {
  return withLines((lines) =>
    withProof(proof, profile, opensWithOf(list), lines, (credentials) => use(daemon, credentials)),
  );
}

/** Makes a slot with credentials that open the profile and a new secret, and tells of it. */
function provedWithNew(
  { daemon, profile, list }: Place,
  proof: ProofOptions,
  kind: Credential['kind'],
  options: NewSecretOptions,
  output: Output,
  make: (daemon: Daemon, credentials: Credential[], secret: Credential) => Promise<NamedSlot>,
  doneText: (slot: NamedSlot) => string,
): Promise<void> {
  return withLines((lines) =>
    withProof(proof, profile, opensWithOf(list), lines, (credentials) =>
      withNewSecret(
        kind,
        options,
        { profile, lines, output },
        {
          make: (secret) => make(daemon, credentials, secret),
          tell: (slot, secret) => tell(profile, slot, doneText(slot), secret, options, output),
        },
      ),
    ),
  );
}

async function add(place: Place, options: AddOptions, proof: ProofOptions, output: Output): Promise<void> {
  const { profile } = place;
  const { label } = options;
  const kind = kindOfNew(options, options.recovery) ?? 'passphrase';
  await provedWithNew(
    place,
    proof,
    kind,
    options,
    output,
    (daemon, credentials, added) =>
      daemon.call('slot.add', {
        profile,
        credentials,
        added,
        ...(label === undefined ? {} : { label }),
      }),
    (slot) => `${slotText(slot)} opens profile ${profile} from now on`,
  );
}

async function change(
  place: Place,
  word: string | undefined,
  options: NewSecretOptions,
  proof: ProofOptions,
  output: Output,
): Promise<void> {
  const { profile, list } = place;
  const named = word === undefined ? undefined : slotMeant(list, word);
  const kind = kindOfNew(options, undefined) ?? named?.kind ?? 'passphrase';
  await provedWithNew(
    place,
    proof,
    kind,
    options,
    output,
    (daemon, credentials, replacement) =>
      daemon.call('slot.change', {
        profile,
        credentials,
        replacement,
        ...(named === undefined ? {} : { slot: named.id }),
      }),
    (slot) => `${slotText(slot)} of profile ${profile} is changed`,
  );
  await output.note(revocationText);
}

/** Tells of a slot that was made or changed, and shows its secret where nobody else has it. */
async function tell(
  profile: string,
  slot: NamedSlot,
  done: string,
  secret: Credential,
  { newKeyFile }: NewSecretOptions,
  output: Output,
): Promise<void> {
  const facts = { profile, ...slot };
  if (slot.kind === 'recovery') {
    return showRecoveryKey(facts, done, secret, `hush slot change ${slot.id}`, output);
  }
  try {
    await output.facts({ ...facts, ...(newKeyFile === undefined ? {} : { keyFile: newKeyFile }) }, [done]);
  } catch (error) {
    throw diskError(`${done}, and telling of it failed`, error);
  }
}
