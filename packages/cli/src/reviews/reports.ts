import { dirname, resolve } from 'node:path';
import { digest } from '@ambit/contract';
import { short, type SignedReplay, type SignedTests, testsNeeded } from '@ambit/review';

import { type Against, compareLog } from '../against.ts';
import { environmentOf } from '../environment.ts';
import { evidenceFolder } from '../evidence-log.ts';
import { CliError, exitCodes } from '../failure.ts';
import { limits } from '../limits.ts';
import { againstPage } from '../page/against.ts';
import { resultsPage } from '../page/test.ts';
import { runSuites, suitesOf } from '../policy-tests.ts';
import { say, type Terminal } from '../terminal.ts';
import { ownerBefore, type Reviewed } from './reviewed.ts';

// What is signed into a review beside the difference: what the policy tests said, and what recorded sessions would have been.

interface Asked {
  readonly tests?: true | readonly string[] | undefined;
  readonly replay?: true | string | undefined;
}

/** Throws where the contract wants the policy tests to have passed, and nobody ran them. */
export function refuseUntested(reviewed: Reviewed): void {
  if (!testsNeeded([ownerBefore(reviewed), reviewed.product.boundary.product.owner])) return;
  throw new CliError(
    exitCodes.usage,
    'the contract wants the policy tests to have passed: `approvals: { tests: required }`',
    'add --tests: it runs those beside the contract, and signs what they said',
  );
}

/** The reports that are asked for, shown to whoever is about to sign them. */
export async function reportsOf(
  terminal: Terminal,
  reviewed: Reviewed,
  { tests, replay }: Asked,
): Promise<{ readonly tests?: SignedTests; readonly replay?: SignedReplay }> {
  return {
    ...(tests === undefined ? {} : { tests: await testsOf(terminal, reviewed, tests) }),
    ...(replay === undefined ? {} : { replay: await replayOf(terminal, reviewed, replay) }),
  };
}

/** Runs the policy tests of a contract. Throws where one fails, or they ran against another boundary. */
async function testsOf(
  terminal: Terminal,
  { product, environment }: Reviewed,
  paths: true | readonly string[],
): Promise<SignedTests> {
  const where = paths === true ? [dirname(product.file)] : paths;
  const suites = (await suitesOf(terminal, where)).filter(
    ({ contract }) => resolve(contract) === resolve(product.file),
  );
  if (suites.length === 0) {
    const hint = 'name files of policy tests: --tests FILE';
    throw new CliError(exitCodes.usage, `no policy tests in ${where.join(', ')} are of \`${product.file}\``, hint);
  }
  const [ran] = await runSuites(terminal, suites, environment, false);
  if (ran === undefined || ran.fingerprint !== product.fingerprint) {
    const message = `the tests ran against ${short(ran?.fingerprint ?? '')}, and this is ${short(product.fingerprint)}`;
    throw new CliError(exitCodes.failed, message, 'a file was changed meanwhile: look at it again');
  }
  const { passed, failed } = ran;
  if (failed > 0) {
    terminal.err.write(resultsPage(ran));
    const message = `${failed} of ${failed + passed} policy tests failed: nothing was signed`;
    throw new CliError(exitCodes.failed, message, 'what fails is a reason not to approve');
  }
  say(terminal, `policy tests: ${passed} passed against ${short(ran.fingerprint)}`);
  return { digest: ran.digest, fingerprint: ran.fingerprint, passed, failed };
}

async function replayOf(
  terminal: Terminal,
  { product, environment }: Reviewed,
  log: true | string,
): Promise<SignedReplay> {
  const bound = await environmentOf(environment, [product.file]);
  const against = await compareLog(log === true ? evidenceFolder(terminal, bound) : log, product, null);
  terminal.err.write(againstPage(against));
  return replaySummary(against);
}

/** Subjects of the same roles, with the same purpose, for whom it changes the same. */
interface Group extends Omit<SignedReplay['who'][number], 'subjects'> {
  readonly subjects: Set<string>;
}

/** Who gains and who loses, by roles and purpose: a review is read by others than those who may read evidence. */
export function replaySummary(against: Against): SignedReplay {
  const effects = { same: 0, more: 0, less: 0, mixed: 0, refused: 0, opened: 0 };
  const who = new Map<string, Group>();
  for (const { subject, purpose, effect, asked } of against.subjects) {
    const sessions = Object.values(asked).reduce((sum, times) => sum + times, 0);
    effects[effect] += sessions;
    if (effect === 'same') continue;
    const key = JSON.stringify([subject.roles, purpose, effect]);
    const known = who.get(key) ?? { roles: [...subject.roles], purpose, effect, subjects: new Set(), sessions: 0 };
    // One subject may have had several grants.
    known.subjects.add(JSON.stringify(subject));
    who.set(key, { ...known, sessions: known.sessions + sessions });
  }
  return {
    digest: digest(JSON.parse(JSON.stringify(against))),
    sessions: against.sessions,
    gain: effects.more + effects.opened,
    lose: effects.less + effects.refused,
    effects,
    who: [...who.values()]
      .map((group) => ({ ...group, subjects: group.subjects.size }))
      .toSorted((a, b) => b.sessions - a.sessions)
      .slice(0, limits.replayGroupsMax),
  };
}
