// The demo's tenant with accounts; and the portal's own form, which Doorward guards.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { close, demo, findings, fitsItsWindow, launch, open, screenshot } from './browser.mjs';
import { heading, signIn as signInWith, submit } from './page.mjs';

const { tenant: TENANT, users: [CAROL, DAVE], password: PASSWORD } = demo.members;
// An address of its own for each test: new browsers of one machine that ask for one page within seconds count as one without cookies.
const deep = (tab) => `/devportal/apis/3e3be125-0001-4000-8000-000000000001?tenant=${TENANT}&tab=${tab}`;
const { BINARY, PATH } = process.env;

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

const signIn = (page, user, password = PASSWORD) => signInWith(page, user, password);

// What the demo's text tells people to type.
function doorward(...words) {
  const at = ['--tenant', TENANT, '--config', `${demo.folder}/deployment.toml`];
  return execFileSync(BINARY, [...words, ...at], { env: { PATH }, encoding: 'utf8' });
}

for (const javaScriptEnabled of [true, false]) {
  const mode = javaScriptEnabled ? 'with JavaScript' : 'without JavaScript';
  const short = javaScriptEnabled ? 'js' : 'nojs';

  test(`a member signs in to the demo, is known to the portal, sees the account and signs out, ${mode}`, async () => {
    const there = demo.proxy + deep(`member-${short}`);
    const page = await open(browser, { javaScriptEnabled });
    await page.goto(there);
    assert.equal(await heading(page), 'Sign in');
    await screenshot(page, `members-sign-in-${short}`);
    await signIn(page, CAROL);
    assert.equal(page.url(), there);
    assert.equal(await heading(page), 'Moorings');
    await screenshot(page, `members-portal-${short}`);
    await page.getByRole('link', { name: 'Applications' }).click();
    await page.getByLabel('Name').fill(`Dinghy ${mode}`);
    await page.getByRole('button', { name: 'Create application' }).click();
    await page.getByRole('heading', { name: `Dinghy ${mode}` }).waitFor();

    await page.getByRole('link', { name: 'Account' }).click();
    assert.equal(await heading(page), 'Your account');
    await screenshot(page, `members-account-${short}`);
    await page.goto(there);
    await page.getByRole('link', { name: 'Sign out Carol Marsh' }).click();
    await submit(page, 'Sign out');
    assert.equal(await heading(page), 'You are signed out');
    await page.goto(there);
    assert.equal(await heading(page), 'Sign in');
    await close(page);
  });

  test(`the demo locks after five wrong passwords, says so, and its command lets in again, ${mode}`, async () => {
    const there = demo.proxy + deep(`locked-${short}`);
    const page = await open(browser, { javaScriptEnabled });
    await page.goto(there);
    for (let attempt = 0; attempt < 5; attempt += 1) await signIn(page, DAVE, 'wrong');
    await signIn(page, DAVE);
    assert.match(await page.getByRole('alert').textContent(), /locked.*5 minutes/s);
    await screenshot(page, `members-locked-${short}`);
    assert.match(doorward('user', 'show', DAVE), /locked/);
    doorward('user', 'unlock', DAVE);
    await signIn(page, DAVE);
    assert.equal(page.url(), there);
    await close(page);
  });

  test(`wrong passwords at the portal’s own form lock a name as well, ${mode}`, async () => {
    const page = await open(browser, { javaScriptEnabled });
    const form = `${demo.proxy}/devportal/applications?tenant=closed.example`;
    const wrong = async () => {
      await page.getByLabel('User name').fill(`unknown-${short}`);
      await page.getByLabel('Password').fill('wrong');
      await submit(page, 'Sign in');
    };
    await page.goto(form);
    for (let attempt = 0; attempt < 5; attempt += 1) {
      await wrong();
      assert.match(await page.getByRole('alert').textContent(), /not right/, 'the portal’s own words');
    }
    await wrong();
    assert.equal(await heading(page), 'Signing in did not work');
    await screenshot(page, `members-guarded-${short}`);
    await page.getByRole('link', { name: 'Go to the start page' }).click();
    // which is closed, and so shows a form to try again
    await page.waitForURL(/login\.do\?tenant=closed\.example/);
    assert.equal(await heading(page), 'Sign in');
    await close(page);
  });
}

test('the tenant with accounts: axe finds nothing, and it fits', async () => {
  for (const [look, options] of Object.entries({
    light: {}, dark: { colorScheme: 'dark' }, narrow: { viewport: { width: 320, height: 640 } },
  })) {
    const page = await open(browser, { bypassCSP: true, ...options });
    await page.goto(demo.proxy + deep(look));
    for (const name of ['sign-in', 'portal']) {
      if (name === 'portal') await signIn(page, CAROL);
      assert.deepEqual(await findings(page), [], `${name}, ${look}`);
      await fitsItsWindow(page);
      await screenshot(page, `members-${name}-${look}`);
    }
    await page.context().close();
  }
});
