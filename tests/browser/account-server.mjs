// A separate Doorward with accounts, in front of the demo's sample portal, and its command line.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { demo } from './browser.mjs';

const { BINARY, PATH } = process.env;
// whatever begins with DOORWARD_ would be taken for settings
const env = { PATH };

export const TENANT = 'closed.example';
export const PASSWORD = 'tides and currents of 1874';

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  await new Promise((resolve) => { server.close(resolve); });
  return port;
}

export async function start() {
  const folder = mkdtempSync(join(tmpdir(), 'doorward-browser-'));
  const port = await freePort();
  const config = join(folder, 'deployment.toml');
  mkdirSync(join(folder, 'tenants', TENANT), { recursive: true });
  writeFileSync(join(folder, 'tenants', TENANT, 'tenant-conf.json'), JSON.stringify({
    EnableAnonymous: false,
    Doorward: { branding: { name: 'Closed Example Industries', accent: '#8a1c5b' } },
  }));
  writeFileSync(config, `
[server]
listen = ["127.0.0.1:${port}"]
drain_delay = "0s"
drain_timeout = "1s"
[portal]
profile = "wso2-apim"
[[portal.upstream]]
url = "${demo.portal}"
[tenancy]
folder = "tenants"
[log]
level = "error"
access = "off"
[accounts]
enabled = true
hash_memory = 8192
hash_iterations = 1
[account_lock]
enabled = true
max_attempts = 3
[password_policy]
enabled = true
min_length = 12
max_length = 128
pattern = ".*"
common_list = true
context_words = true
min_score = 3
history = 5
`);
  const server = spawn(BINARY, ['serve', '--config', config], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  const url = `http://127.0.0.1:${port}`;
  const end = Date.now() + 20_000;
  for (;;) {
    if (server.exitCode !== null) throw new Error(`doorward serve ended with ${server.exitCode}`);
    try { await fetch(`${url}/.doorward/tenants`); break; } catch (error) { if (Date.now() > end) throw error; }
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  const user = (command, ...more) =>
    execFileSync(BINARY, ['user', command, '--config', config, '--tenant', TENANT, ...more], { env, input: `${PASSWORD}\n` });
  return {
    url,
    user,
    // a new account, so that tests do not share locks
    person(name) {
      user('add', name, '--password-file', '-', '--email', `${name}@closed.example`, '--given-name', 'Alex', '--family-name', 'Doe');
      return name;
    },
    async stop() {
      const stopped = once(server, 'exit');
      server.kill('SIGTERM');
      await stopped;
      rmSync(folder, { recursive: true });
    },
  };
}
