// Doorward before the portals that its route rules have to withstand: npm `ws`, which takes every upgrade whatever the path,
// and Express, which serves a path in every case and with a final slash.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer, get } from 'node:http';
import { createServer as createSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import express from 'express';
import { WebSocket, WebSocketServer } from 'ws';

const RULES = [
  ['/public/**', 'open', ''],
  ['/public/admin/**', 'signed-in', ''],
  ['/account', 'signed-in', ''],
  ['/admin/**', 'signed-in', ''],
  ['/live/**', 'open', 'upgrade = true'],
];

async function freePort() {
  const socket = createSocket().listen(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

/** Doorward before this server; `anonymous`: of all tenants. */
async function doorward(server, anonymous) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const folder = await mkdtemp(join(tmpdir(), 'doorward-portals-'));
  const [port, admin] = [await freePort(), await freePort()];
  await mkdir(join(folder, 'tenants'));
  const routes = RULES.map(([match, access, more]) => `[[access.route]]\nmatch = "${match}"\naccess = "${access}"\n${more}\n`);
  await writeFile(join(folder, 'deployment.toml'), `
[apim.devportal]
enable_anonymous_mode = ${anonymous}
[server]
listen = ["127.0.0.1:${port}"]
drain_delay = "0s"
drain_timeout = "1s"
[admin]
listen = "127.0.0.1:${admin}"
[portal]
profile = "generic"
[[portal.upstream]]
url = "http://127.0.0.1:${server.address().port}"
[sign_in]
url = "none"
${routes.join('')}`);
  // the environment overrides the file
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('DOORWARD_')));
  const started = spawn(process.env.BINARY, ['serve', '--config', join(folder, 'deployment.toml')], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  const ready = async () => {
    try {
      return (await fetch(`http://127.0.0.1:${admin}/readyz`)).ok;
    } catch {
      return false;
    }
  };
  for (const start = Date.now(); !(await ready()); await new Promise((next) => setTimeout(next, 20))) {
    assert.ok(started.exitCode === null && Date.now() - start < 20_000, 'doorward is ready');
  }
  return {
    port,
    async stop() {
      started.kill('SIGTERM');
      await once(started, 'exit');
      server.closeAllConnections();
      server.close();
      await rm(folder, { recursive: true });
    },
  };
}

/** What a WebSocket client gets: the first message, or the status that refused it. */
function webSocketResult(port, path) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`);
    socket.on('message', (message) => { socket.terminate(); resolve(String(message)); });
    socket.on('unexpected-response', (request, answer) => { answer.resume(); resolve(answer.statusCode); });
    socket.on('error', reject);
  });
}

/** The path as it is written: `fetch` would resolve it. */
function ask(port, path) {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path }, (answer) => {
      let body = '';
      answer.on('data', (piece) => { body += piece; });
      answer.on('end', () => resolve([answer.statusCode, body]));
    }).on('error', reject);
  });
}

test('attack: a WebSocket of a closed tenant by a path that is open', async () => {
  const portal = createServer((request, answer) => answer.end('page'));
  const sockets = new WebSocketServer({ server: portal });
  sockets.on('connection', (socket) => socket.send('live data'));
  const server = await doorward(portal, false);
  try {
    for (const path of ['/favicon.ico', '/robots.txt', '/public/x', '/public/live', '/', '/account', '/Live/x']) {
      assert.equal(await webSocketResult(server.port, path), 401, path);
    }
    assert.equal(await webSocketResult(server.port, '/live/x'), 'live data');
    assert.deepEqual(await ask(server.port, '/public/x'), [200, 'page']);
  } finally {
    await server.stop();
  }
});

test('attack: a closed page of Express in another spelling', async () => {
  const portal = express();
  for (const path of ['/account', '/admin/users', '/public/admin/users']) {
    portal.get(path, (request, answer) => answer.send('secret'));
  }
  portal.get('/public/page', (request, answer) => answer.send('public'));
  const server = await doorward(createServer(portal), true);
  try {
    for (const path of [
      '/account', '/Account', '/account/', '/ACCOUNT/', '/%61ccount', '/%41CCOUNT/',
      '/admin/users', '/ADMIN/USERS', '/Admin/Users/', '/public/Admin/users', '/PUBLIC/ADMIN/USERS', '/public/admin/users/',
      '/public/%ef%bc%8e%ef%bc%8e/admin/users', '/public/..%2fadmin/users', '/public/%252e%252e/admin/users', '//account',
    ]) {
      const [status, body] = await ask(server.port, path);
      assert.ok([400, 401].includes(status) && !body.includes('secret'), `${path}: ${status} ${body}`);
    }
    for (const path of ['/public/page', '/public/page/', '/PUBLIC/page']) {
      assert.deepEqual(await ask(server.port, path), [200, 'public'], path);
    }
  } finally {
    await server.stop();
  }
});
