import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from '@commander-js/extra-typings';

import { jsonOption, parameterValue } from '../arguments.ts';
import { hasProfile, saveProfile, stateFolder } from '../credentials.ts';
import { CliError, exitCodes } from '../failure.ts';
import { table } from '../table.ts';
import { say, type Terminal, writeOut } from '../terminal.ts';

/** `ambit key`: the API keys of this place. They are hashed in the file; a key is shown once. */
export function keyCommand(terminal: Terminal) {
  const file = () => new Option('--keys <file>', 'file of hashed keys (default: .ambit/keys.json)');
  const path = (given: string | undefined): string => given ?? resolve(stateFolder(terminal), 'keys.json');
  return new Command('key')
    .description('make, list and revoke API keys')
    .addCommand(createCommand(terminal, file, path))
    .addCommand(
      new Command('list')
        .description('list keys, without their secrets')
        .addOption(file())
        .addOption(jsonOption())
        .action(async (options) => {
          const { listKeys } = await import('@ambit/server');
          const keys = (await listKeys(path(options.keys))).map(({ hash: _hash, ...key }) => key);
          if (options.json) return writeOut(terminal, `${JSON.stringify(keys, null, 2)}\n`);
          const rows = keys.map((key) => [
            key.id,
            key.tenant,
            key.principal,
            key.kind,
            key.roles.join(', '),
            key.expires ?? 'never',
          ]);
          return writeOut(
            terminal,
            table(
              ['id', 'tenant', 'principal', 'kind', 'roles', 'expires'].map((name) => ({ name, type: 'string' })),
              rows,
            ),
          );
        }),
    )
    .addCommand(
      new Command('revoke')
        .description('remove a key: its next request is refused')
        .argument('<id>', 'id of the key')
        .addOption(file())
        .action(async (id, options) => {
          const { revokeKey } = await import('@ambit/server');
          if (await revokeKey(path(options.keys), id)) return say(terminal, `revoked ${id}`);
          throw new CliError(exitCodes.failed, `there is no key \`${id}\``, '`ambit key list` shows their ids');
        }),
    );
}

function createCommand(
  terminal: Terminal,
  file: () => Option<'--keys <file>'>,
  path: (given: string | undefined) => string,
) {
  return new Command('create')
    .description('make a key; it is shown once')
    .requiredOption('--tenant <name>', 'tenant of the subject')
    .requiredOption('--principal <name>', 'name of the subject, unique in its tenant')
    .addOption(
      new Option('--kind <kind>', 'what the subject is')
        .choices(['user', 'service', 'agent'] as const)
        .default('user' as const),
    )
    .option('--role <name>', 'a role; may be repeated', (role: string, before: readonly string[] | undefined) => [
      ...(before ?? []),
      role,
    ])
    .option('--claim <name=value>', 'a claim that policies may use; may be repeated', parameterValue)
    .option('--on-behalf-of <tenant/principal>', 'for an agent: whom it acts for', behalf)
    .option('--expires <date>', 'when the key ends, as 2027-01-31', expiry)
    .option('--save <name>', 'keep the key in .ambit/profiles for `--as NAME`, instead of showing it')
    .addOption(file())
    .action(async (options) => {
      if (options.save !== undefined && hasProfile(terminal, options.save)) {
        throw new CliError(exitCodes.failed, `a key is already saved as \`${options.save}\``, 'choose another name');
      }
      if (options.kind === 'agent' && options.onBehalfOf === undefined) {
        throw new CliError(exitCodes.usage, 'an agent acts for somebody', 'add --on-behalf-of TENANT/PRINCIPAL');
      }
      const { createKey } = await import('@ambit/server');
      const { id, token } = await createKey(path(options.keys), {
        tenant: options.tenant,
        principal: options.principal,
        kind: options.kind,
        roles: options.role ?? [],
        claims: (options.claim ?? {}) as Record<string, string | number | boolean>,
        onBehalfOf: options.onBehalfOf ?? null,
        expires: options.expires ?? null,
      });
      if (options.save === undefined) await writeOut(terminal, `${token}\n`);
      else saveProfile(terminal, options.save, token);
      say(
        terminal,
        options.save === undefined ? `key ${id}: it is shown this once` : `key ${id}, saved for --as ${options.save}`,
      );
    });
}

function behalf(text: string) {
  const [, tenant, principal] = /^([^/]+)\/(.+)$/.exec(text) ?? [];
  if (tenant === undefined || principal === undefined) throw new InvalidArgumentError('It is tenant/principal.');
  return { tenant, principal };
}

function expiry(text: string): string {
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw new InvalidArgumentError('It is a date, as 2027-01-31.');
  return new Date(at).toISOString();
}
