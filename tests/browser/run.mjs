// node run.mjs [BINARY]: starts `BINARY demo`, runs the browser tests against it, stops it.
// DOORWARD_DEMO, the line `doorward demo --json` prints, names a demo that runs already.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const [binary = fileURLToPath(new URL('../../target/debug/doorward', import.meta.url)), ...chosen] = process.argv.slice(2);
const tests = chosen.length > 0 ? chosen : ['gallery.test.mjs', 'portal.test.mjs', 'members.test.mjs', 'accounts.test.mjs', 'portals.test.mjs'];

async function start() {
  const server = spawn(binary, ['demo', '--port', '0', '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: server.stdout });
  const [line] = await Promise.race([
    once(lines, 'line'),
    once(server, 'exit').then(([code]) => { throw new Error(`${binary} demo ended with ${code} before it was ready`); }),
    once(server, 'error').then(([error]) => { throw error; }),
  ]);
  return [server, line];
}

let server;
let addresses = process.env.DOORWARD_DEMO;
if (!addresses) [server, addresses] = await start();

// a file that hangs is a failure with a name, not a run that never ends
const runner = spawn(process.execPath, ['--test', '--test-timeout=600000', '--test-concurrency=1', '--test-reporter=spec', ...tests], {
  cwd: fileURLToPath(new URL('.', import.meta.url)),
  env: { ...process.env, DOORWARD_DEMO: addresses, BINARY: binary },
  stdio: 'inherit',
});
const [code] = await once(runner, 'exit');

if (server) {
  const stopped = once(server, 'exit');
  server.kill('SIGTERM');
  const [status] = await stopped;
  if (status !== 0) console.error(`doorward demo ended with ${status}`);
  process.exitCode = code || status;
} else {
  process.exitCode = code;
}
