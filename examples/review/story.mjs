// Nothing runs in production that no owner approved: the whole story, from an empty repository to the evidence. It shows
// each command before it runs it, works in a folder of its own, and leaves nothing behind. README.md says what to look at.

import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { checkout, run, setStage, tell } from './stage.mjs';

const question =
  "SELECT date, count(*) AS flights FROM flights WHERE origin = 'SFO' GROUP BY date ORDER BY date LIMIT 3";
const approvals =
  "SELECT who, reason, count(*) AS sessions FROM approved_sessions WHERE product = 'flights' GROUP BY who, reason ORDER BY who, reason";

/** Puts one text in the place of another in a file. */
function edit(file, before, after) {
  const text = readFileSync(file, 'utf8');
  if (!text.includes(before)) throw new Error(`${file} does not say ${before}`);
  writeFileSync(file, text.replace(before, after));
}

const approve = (who, reason, more = []) =>
  ['ambit', 'review', 'approve', 'flights.yaml', '--environment', 'production', '--key', `../keys/${who}.pem`].concat(
    ['--reason', reason, '--expires', '90d', '--yes', '--tests'],
    more,
  );
const check = ['ambit', 'review', 'check', '--range', 'main..HEAD', '--environment', 'production'];
const commit = (message) => ['git', 'commit', '--quiet', '--all', '-m', message];

/** The product, with two owners, in a repository. */
async function begin({ work, person }) {
  tell('Dana writes a product. Its owners are Ann and Bo: the contract lists their public keys.');
  cpSync(join(checkout, 'examples/review/product'), work, { recursive: true });
  const owners = ['ann', 'bo'].map((name) => `    ${name}: ${person(name)}\n`).join('');
  edit(join(work, 'flights.yaml'), '  team: mobility-data\n', `  team: mobility-data\n  reviewers:\n${owners}`);
  edit(
    join(work, 'environments/production.yaml'),
    '../../../../node_modules/vega-datasets/data',
    join(checkout, 'node_modules/vega-datasets/data'),
  );
  writeFileSync(join(work, '.gitignore'), '.ambit/\n');
  await run('dana', work, ['git', 'init', '--quiet', '--initial-branch', 'main', '.']);
  await run('dana', work, ['git', 'add', '.']);
  await run('dana', work, commit('Flights, to the day'));
}

/** Two people approve the first boundary, and it is served. */
async function serveFirst({ work, served, serve }) {
  tell(
    'In production nothing is served that nobody approved. The first boundary needs two people; Dana is none of them.',
  );
  await run('dana', work, ['ambit', 'review', 'status', 'flights.yaml', '--environment', 'production'], {
    fails: true,
  });
  await run('ann', work, approve('ann', 'to the day, as agreed with the airlines'));
  await run('bo', work, approve('bo', 'same as in the agreement'));
  await run('ann', work, ['git', 'add', 'reviews']);
  await run('ann', work, commit('Flights: approved'));

  tell('The server has a clone, and serves what is in it. Noah is a researcher, Vera an auditor.');
  await run('server', work, ['git', 'clone', '--quiet', work, served]);
  for (const [name, role] of [
    ['noah', 'researcher'],
    ['vera', 'auditor'],
  ]) {
    const words = ['--tenant', 'mobility', '--principal', name, '--role', role, '--save', name];
    await run('server', served, ['ambit', 'key', 'create', ...words]);
  }
  return serve(served);
}

/** What a change of a mask does is told, by whoever looks. */
async function change({ work }) {
  tell('Dana shows the hour in place of the day, on a branch.');
  await run('dana', work, ['git', 'switch', '--quiet', '--create', 'hours']);
  edit(join(work, 'flights.yaml'), "date_trunc('day', value)", "date_trunc('hour', value)");
  await run('dana', work, ['git', 'diff', '--unified=0', 'flights.yaml']);
  await run('dana', work, commit('Flights, to the hour'));

  tell('What does that do? The reason is computed, not guessed.');
  const difference = ['ambit', 'diff', 'flights', '--from', 'main', '--to', './', '--environment', 'production'];
  await run('dana', work, difference, { fails: true });

  tell('The check of the pull request fails, and says for whom it waits.');
  await run('ci', work, check, { fails: true });
}

/** Somebody deploys it all the same. */
async function refuse({ work, served }, server, ask) {
  tell('Somebody deploys it all the same. The server refuses the reload, and serves what was approved.');
  await run('server', served, ['git', 'pull', '--quiet', work, 'hours']);
  await server.says(/^reload refused/);
  await ask();
}

/** Owners approve it, and the server reloads by itself. */
async function approveChange({ work, served }, server) {
  tell('Ann would approve it. But the policy tests hold what was promised: nothing finer than a day.');
  await run('ann', work, approve('ann', 'hours, see #214'), { fails: true });

  tell('So the promise has to change too, where everybody sees it.');
  const tests = join(work, 'flights.test.yaml');
  edit(tests, 'nothing finer than a day', 'nothing finer than an hour');
  edit(tests, "date_trunc('day', date)", "date_trunc('hour', date)");
  await run('dana', work, commit('What is promised: nothing finer than an hour'));

  tell('Ann looks at what it changes for those who asked before; then she and Bo sign, with the tests.');
  await run('ann', work, approve('ann', 'hours, see #214', ['--replay', '../served/.ambit/evidence']));
  await run('bo', work, approve('bo', 'the airlines agreed to hours'));
  await run('ann', work, ['git', 'add', 'reviews']);
  await run('ann', work, commit('Flights: hours are approved'));

  tell('Now the check passes. It is merged and deployed, and the server reloads by itself.');
  await run('ci', work, check);
  await run('dana', work, ['git', 'switch', '--quiet', 'main']);
  await run('dana', work, ['git', 'merge', '--quiet', 'hours']);
  await run('server', served, ['git', 'pull', '--quiet']);
  await server.says(/^reload: serving flights/);
}

/** Evidence names the review. */
async function lookBack({ served }, server, env, answer) {
  tell('Afterwards: which boundary was that, and who let it be served?');
  const [session] = /ses_\w+/.exec(answer);
  await run('vera', served, ['ambit', 'session', 'explain', session, '--as', 'vera'], { env });

  tell('The same of all sessions, in SQL.');
  await run('vera', served, ['ambit', 'evidence', 'query', '--as', 'vera', approvals], { env });

  tell('The log of all this is whole: nobody changed it afterwards.');
  await server.stop();
  await run('auditor', served, ['ambit', 'verify', '.ambit/evidence']);
}

async function story(stage) {
  await begin(stage);
  const server = await serveFirst(stage);
  const env = { AMBIT_SERVER: server.url };
  const ask = () =>
    run('noah', stage.served, ['ambit', 'query', 'flights', '--as', 'noah', '--purpose', 'research', question], {
      env,
    });
  await ask();
  await change(stage);
  await refuse(stage, server, ask);
  await approveChange(stage, server);
  await lookBack(stage, server, env, await ask());
  tell('The end. Nothing of this is left: it was all in a folder that is removed now.');
}

let stage = null;
const interrupted = new Promise((_, stop) => {
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stop(new Error(`stopped by ${signal}`)));
});
try {
  stage = setStage();
  await Promise.race([story(stage), interrupted]);
} catch (error) {
  console.error(`\nerror: ${error.message}`);
  process.exitCode = 1;
} finally {
  await stage?.close();
}
