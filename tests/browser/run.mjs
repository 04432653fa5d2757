// node run.mjs [BINARY]: starts `BINARY demo`, runs the browser tests against it, stops it.
// DOORWARD_DEMO, the line `doorward demo --json` prints, names a demo that runs already.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const [binary = fileURLToPath(new URL('../../target/debug/doorward', import.meta.url)), ...chosen] = process.argv.slice(2);
const tests = chosen.length > 0 ? chosen : ['gallery.test.mjs', 'door.test.mjs', 'members.test.mjs', 'accounts.test.mjs', 'portals.test.mjs'];

async function start() {
  const door = spawn(binary, ['demo', '--port', '0', '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: door.stdout });
  const [line] = await Promise.race([
    once(lines, 'line'),
    once(door, 'exit').then(([code]) => { throw new Error(`${binary} demo ended with ${code} before it was ready`); }),
    once(door, 'error').then(([error]) => { throw error; }),
  ]);
  return [door, line];
}

let door;
let addresses = process.env.DOORWARD_DEMO;
if (!addresses) [door, addresses] = await start();

// a file that hangs is a failure with a name, not a run that never ends
const runner = spawn(process.execPath, ['--test', '--test-timeout=600000', '--test-concurrency=1', '--test-reporter=spec', ...tests], {
  cwd: fileURLToPath(new URL('.', import.meta.url)),
  env: { ...process.env, DOORWARD_DEMO: addresses, BINARY: binary },
  stdio: 'inherit',
});
const [code] = await once(runner, 'exit');

if (door) {
  const stopped = once(door, 'exit');
  door.kill('SIGTERM');
  const [status] = await stopped;
  if (status !== 0) console.error(`doorward demo ended with ${status}`);
  process.exitCode = code || status;
} else {
  process.exitCode = code;
}
