import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { CliError, exitCodes } from './failure.ts';
import type { Terminal } from './terminal.ts';

/** Folder of the state of this place: profiles, and by default the server's keys and evidence. */
export function stateFolder(terminal: Terminal): string {
  return join(terminal.cwd, '.ambit');
}

/**
 * The credential that a request is made with: a saved key by name, or `AMBIT_TOKEN`, or none. Never an argument: those
 * are seen by everybody on the machine, and kept by the shell.
 */
export function credential(terminal: Terminal, profile: string | undefined): string | null {
  if (profile === undefined) return terminal.env['AMBIT_TOKEN'] || null;
  const file = profileFile(terminal, profile);
  let mode: number;
  let key: string;
  try {
    mode = statSync(file).mode;
    key = readFileSync(file, 'utf8').trim();
  } catch (cause) {
    const hint = `save a key under this name with \`ambit key create ... --save ${profile}\`, or run in the folder that holds .ambit`;
    throw new CliError(exitCodes.usage, `there is no saved key \`${profile}\``, hint, { cause });
  }
  // As ssh does: a key that others could read is not used until somebody has looked at it.
  if ((mode & 0o077) !== 0) {
    throw new CliError(exitCodes.usage, `the saved key \`${profile}\` can be read by others`, `chmod 600 ${file}`);
  }
  return key;
}

/** Saves a key for `--as NAME`, readable by this user alone. Overwrites none. */
export function saveProfile(terminal: Terminal, profile: string, key: string): string {
  const file = profileFile(terminal, profile);
  mkdirSync(join(stateFolder(terminal), 'profiles'), { recursive: true, mode: 0o700 });
  try {
    writeFileSync(file, `${key}\n`, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    throw new CliError(
      exitCodes.failed,
      `a key is already saved as \`${profile}\``,
      `remove ${file}, or choose another name`,
      { cause },
    );
  }
  return file;
}

/** Whether a key is saved under this name. */
export function hasProfile(terminal: Terminal, profile: string): boolean {
  return statSync(profileFile(terminal, profile), { throwIfNoEntry: false }) !== undefined;
}

function profileFile(terminal: Terminal, profile: string): string {
  if (!/^[a-z0-9][a-z0-9_-]{0,63}$/i.test(profile)) {
    throw new CliError(exitCodes.usage, `\`${profile}\` is no name for a saved key`, 'letters, digits, `-` and `_`');
  }
  return join(stateFolder(terminal), 'profiles', profile);
}
