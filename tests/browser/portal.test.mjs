// The demo in a browser: choose a tenant, be redirected to sign-in by a closed tenant, sign in, arrive at the deep link.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { close, demo, findings, fitsItsWindow, launch, open, screenshot } from './browser.mjs';
import { heading } from './page.mjs';

const CLOSED = 'closed.example';
const DEEP = `/devportal/apis/0c105ed0-0001-4000-8000-000000000001?tenant=${CLOSED}&tab=definition`;

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

async function signIn(page, user = 'alice') {
  await page.getByLabel('User name').fill(user);
  await page.getByLabel('Password').fill(demo.password);
  // all redirects are one navigation
  await Promise.all([page.waitForEvent('framenavigated'), page.keyboard.press('Enter')]);
  await page.waitForLoadState('load');
}

// Runs a step until it holds or two seconds have passed.
async function soon(step) {
  const end = Date.now() + 2000;
  for (;;) {
    try { return await step(); } catch (error) { if (Date.now() > end) throw error; }
  }
}

for (const javaScriptEnabled of [true, false]) {
  const mode = javaScriptEnabled ? 'with JavaScript' : 'without JavaScript';

  test(`choosing a tenant shows its portal, ${mode}`, async () => {
    const page = await open(browser, { javaScriptEnabled });
    await page.goto(`${demo.proxy}/devportal/apis?limit=5`);
    assert.equal(await heading(page), 'Choose a tenant');
    await screenshot(page, `portal-choose-${javaScriptEnabled ? 'js' : 'nojs'}`);
    await page.getByLabel('Search by name').fill('carbon');
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByRole('link', { name: 'carbon.super' }).click();
    assert.equal(page.url(), `${demo.proxy}/devportal/apis?limit=5&tenant=carbon.super`);
    await page.getByRole('link', { name: 'Tides' }).waitFor();
    await close(page);
  });

  test(`a closed tenant redirects to sign-in and back to the deep link, ${mode}`, async () => {
    const page = await open(browser, { javaScriptEnabled });
    await page.goto(demo.proxy + DEEP);
    assert.equal(await heading(page), 'Sign in');
    await screenshot(page, `portal-sign-in-${javaScriptEnabled ? 'js' : 'nojs'}`);
    await signIn(page);
    await page.waitForURL(demo.proxy + DEEP);
    assert.equal(await heading(page), 'Payroll');
    await page.getByText('Sign out Alice').waitFor();
    await screenshot(page, `portal-deep-link-${javaScriptEnabled ? 'js' : 'nojs'}`);

    // a refresh keeps tenant and user; pages that need a user are open; signing out closes them again
    await page.reload();
    assert.equal(page.url(), demo.proxy + DEEP);
    await page.getByRole('link', { name: 'Applications' }).click();
    await page.getByLabel('Name').fill(`Boat ${mode}`);
    await page.getByRole('button', { name: 'Create application' }).click();
    await page.getByRole('heading', { name: `Boat ${mode}` }).waitFor();
    await page.getByText('Sign out Alice').click();
    await page.waitForURL(/login/);
    await close(page);
  });
}

test('a user of another tenant is anonymous in a closed tenant', async () => {
  const page = await open(browser);
  await page.goto(`${demo.proxy}/devportal/applications?tenant=carbon.super`);
  await signIn(page, 'bob@inherits.example');
  await page.goto(`${demo.proxy}/devportal/apis?tenant=${CLOSED}`);
  assert.equal(await heading(page), 'Sign in');
  await close(page);
});

test('the page of an unknown tenant links to the list of tenants', async () => {
  const page = await open(browser, { bypassCSP: true });
  const answer = await page.goto(`${demo.proxy}/devportal/apis?tenant=unknown.example`);
  assert.equal(answer.status(), 404);
  assert.match(await heading(page), /no tenant “unknown.example”/);
  assert.match(await page.locator('.print code').textContent(), /^[\x21-\x7e]{8,}$/);
  assert.deepEqual(await findings(page), []);
  await screenshot(page, 'portal-unknown-tenant');
  await page.getByRole('link', { name: 'Choose a tenant' }).click();
  assert.equal(await page.locator('.list li').count(), 4);
  await page.context().close();
});

test('a request for two tenants is not forwarded', async () => {
  const page = await open(browser, { extraHTTPHeaders: { 'X-WSO2-Tenant': 'carbon.super' } });
  const answer = await page.goto(`${demo.proxy}/devportal/apis?tenant=${CLOSED}`);
  assert.equal(answer.status(), 400);
  assert.equal(await heading(page), 'This request names two tenants');
  await close(page);
});

test('a path with an encoded control character is not forwarded', async () => {
  const page = await open(browser);
  const answer = await page.goto(`${demo.proxy}/devportal/apis%00x?tenant=carbon.super`);
  assert.equal(answer.status(), 400);
  assert.equal(await heading(page), 'This address cannot be opened');
  await close(page);
});

test('scripts of the portal get 401 with WSO2’s body, not a page', async () => {
  const page = await open(browser);
  await page.goto(`${demo.proxy}/devportal/apis?tenant=carbon.super`);
  const [status, challenge, body] = await page.evaluate(async (tenant) => {
    const answer = await fetch('/api/am/devportal/v3/apis', { headers: { 'X-WSO2-Tenant': tenant } });
    return [answer.status, answer.headers.get('www-authenticate'), await answer.json()];
  }, CLOSED);
  assert.equal(status, 401);
  assert.match(challenge, /^Bearer/);
  assert.deepEqual([body.code, body.description], [401, 'Unauthenticated request']);
  await page.context().close(); // the console rightly reports that 401
});

test('/settings shows the anonymous mode that is enforced', async () => {
  const page = await open(browser);
  await page.goto(`${demo.proxy}/devportal/apis?tenant=carbon.super`);
  for (const [tenant, anonymous] of [['carbon.super', true], [CLOSED, false], ['inherits.example', true]]) {
    const said = await page.evaluate(async (name) => {
      const answer = await fetch('/api/am/devportal/v3/settings', { headers: { 'X-WSO2-Tenant': name } });
      return (await answer.json()).IsAnonymousModeEnabled;
    }, tenant);
    assert.equal(said, anonymous, tenant);
  }
  await close(page);
});

test('events and WebSockets pass', async () => {
  const page = await open(browser);
  await page.goto(`${demo.proxy}/devportal/apis?tenant=carbon.super`);
  const lab = '/devportal/home/lab';
  const ticks = await page.evaluate((path) => new Promise((resolve, reject) => {
    const seen = [];
    const source = new EventSource(path);
    source.addEventListener('tick', (event) => {
      seen.push(event.data);
      if (seen.length === 2) { source.close(); resolve(seen); }
    });
    source.onerror = reject;
  }), `${lab}/clock?tenant=carbon.super`);
  assert.deepEqual(ticks, ['0', '1']);
  const echo = await page.evaluate((path) => new Promise((resolve, reject) => {
    const socket = new WebSocket(path);
    socket.onopen = () => socket.send('ping');
    socket.onmessage = (event) => { resolve(event.data); socket.close(); };
    socket.onerror = reject;
  }), `${demo.proxy.replace('http', 'ws')}${lab}/socket?tenant=carbon.super`);
  assert.equal(echo, 'ping');
  await close(page);
});

test('an edit of a tenant’s file closes and opens it within two seconds', async () => {
  const file = `${demo.folder}/tenants/inherits.example/tenant-conf.json`;
  const original = await readFile(file, 'utf8');
  const page = await open(browser);
  const shown = async () => {
    await page.goto(`${demo.proxy}/devportal/apis?tenant=inherits.example`);
    return heading(page);
  };
  try {
    assert.equal(await shown(), 'APIs');
    await writeFile(file, JSON.stringify({ ...JSON.parse(original), EnableAnonymous: false }));
    await soon(async () => assert.equal(await shown(), 'Sign in'));
  } finally {
    await writeFile(file, original);
  }
  await soon(async () => assert.equal(await shown(), 'APIs'));
  await close(page);
});

test('the sample portal’s own pages: axe finds nothing', async () => {
  for (const options of [{}, { colorScheme: 'dark' }, { viewport: { width: 320, height: 640 } }]) {
    const page = await open(browser, { bypassCSP: true, ...options });
    await page.goto(`${demo.proxy}/devportal/applications?tenant=carbon.super`);
    assert.deepEqual(await findings(page), [], 'sign-in');
    await signIn(page);
    for (const path of ['/devportal/applications', '/devportal/apis', `/devportal/apis/01e1f3a0-0001-4000-8000-000000000001`]) {
      await page.goto(`${demo.proxy}${path}?tenant=carbon.super`);
      assert.deepEqual(await findings(page), [], path);
      await fitsItsWindow(page);
      await screenshot(page, `portal-${path.split('/')[2]}${path.split('/').length > 3 ? '-one' : ''}-${options.colorScheme ?? 'light'}-${options.viewport?.width ?? 1280}`);
    }
    await page.context().close();
  }
});
