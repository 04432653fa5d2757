// Doorward's sign-in and account pages: sign in, be locked out and unlocked, end sessions, change the password, sign out.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { PASSWORD, TENANT, start } from './account-server.mjs';
import { close, findings, fitsItsWindow, launch, open, screenshot, targetsAreLarge } from './browser.mjs';
import { heading, signIn as signInWith, submit } from './page.mjs';

const DEEP = `/devportal/apis/0c105ed0-0001-4000-8000-000000000001?tenant=${TENANT}&tab=definition`;
const ACCOUNT = `/.doorward/account?tenant=${TENANT}`;
const NEW = 'seven lighthouses near reykjavik';

let browser;
let server;
before(async () => { [browser, server] = await Promise.all([launch(), start()]); });
after(async () => { await browser.close(); await server.stop(); });

const signIn = (page, user, password = PASSWORD) => signInWith(page, user, password);

async function signedIn(user, options = {}) {
  const page = await open(browser, options);
  await page.goto(server.url + ACCOUNT);
  await signIn(page, user);
  assert.equal(await heading(page), 'Your account');
  return page;
}

for (const javaScriptEnabled of [true, false]) {
  const mode = javaScriptEnabled ? 'with JavaScript' : 'without JavaScript';
  const short = javaScriptEnabled ? 'js' : 'nojs';

  test(`signing in to a closed tenant leads to the deep link; signing out works, ${mode}`, async () => {
    const user = server.person(`deep-${short}`);
    const page = await open(browser, { javaScriptEnabled });
    await page.goto(server.url + DEEP);
    assert.equal(await heading(page), 'Sign in');
    // typing begins at once, and Enter sends
    await page.keyboard.type(user);
    await page.keyboard.press('Tab');
    await page.keyboard.type(PASSWORD);
    await Promise.all([page.waitForURL(server.url + DEEP), page.keyboard.press('Enter')]);
    assert.equal(await heading(page), 'Payroll');

    await page.goto(`${server.url}/.doorward/sign-out?tenant=${TENANT}`);
    assert.equal(await heading(page), 'Sign out?');
    await screenshot(page, `account-sign-out-${short}`);
    await submit(page, 'Sign out');
    assert.equal(await heading(page), 'You are signed out');
    await page.goto(server.url + DEEP);
    assert.equal(await heading(page), 'Sign in');
    await close(page);
  });

  test(`doorward user unlock removes a lock, ${mode}`, async () => {
    const user = server.person(`locked-${short}`);
    const page = await open(browser, { javaScriptEnabled });
    await page.goto(server.url + ACCOUNT);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await signIn(page, user, 'wrong');
      assert.match(await page.getByRole('alert').textContent(), /You could not be signed in/);
      assert.equal(await page.getByLabel('User name or e-mail').inputValue(), user, 'the name is kept');
    }
    await signIn(page, user);
    assert.match(await page.getByRole('alert').textContent(), /You could not be signed in/);
    await screenshot(page, `account-locked-${short}`);
    server.user('unlock', user);
    await signIn(page, user);
    assert.equal(await heading(page), 'Your account');
    await close(page);
  });

  test(`one browser ends another, and all others, ${mode}`, async () => {
    const user = server.person(`sessions-${short}`);
    const mine = await signedIn(user, { javaScriptEnabled });
    const phone = await signedIn(user, {
      userAgent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Version/18.5 Mobile/15E148 Safari/604.1',
    });
    const laptop = await signedIn(user);
    await mine.reload();
    assert.equal(await mine.locator('.sessions li').count(), 3);
    await submit(mine, 'Sign out Safari on iPhone');
    assert.equal((await mine.getByRole('status').textContent()).trim(), 'That browser is signed out.');
    await phone.reload();
    assert.equal(await heading(phone), 'Sign in');
    // asked once, and told how many
    await mine.getByText('Sign out everywhere else').click();
    await screenshot(mine, `account-end-others-${short}`);
    await submit(mine, 'Sign out one browser');
    assert.equal((await mine.getByRole('status').textContent()).trim(), 'Every other browser is signed out.');
    await laptop.reload();
    assert.equal(await heading(laptop), 'Sign in');
    for (const page of [mine, phone, laptop]) await close(page);
  });

  test(`the password is changed by its rules and the old one opens nothing, ${mode}`, async () => {
    const user = server.person(`password-${short}`);
    const page = await signedIn(user, { javaScriptEnabled });
    await page.goto(`${server.url}/.well-known/change-password?tenant=${TENANT}`);
    assert.equal(await heading(page), 'Change your password');
    assert.match(await page.locator('.rules').textContent(), /At least 12 characters/);
    const change = async (current, wanted, again = wanted) => {
      await page.getByLabel('Current password', { exact: true }).fill(current);
      await page.getByLabel('New password', { exact: true }).fill(wanted);
      await page.getByLabel('New password, once more', { exact: true }).fill(again);
      await submit(page, 'Change password');
    };
    await change(PASSWORD, `${user}12`);
    assert.equal(await page.locator('.rules .unmet').count() > 0, true);
    await screenshot(page, `account-password-refused-${short}`);
    await change(PASSWORD, NEW, `${NEW}?`);
    assert.match(await page.getByRole('alert').textContent(), /not the same/);
    await change(PASSWORD, NEW);
    assert.match(await page.getByRole('status').textContent(), /Your password is changed/);
    const other = await open(browser);
    await other.goto(server.url + ACCOUNT);
    await signIn(other, user);
    assert.match(await other.getByRole('alert').textContent(), /You could not be signed in/);
    await signIn(other, user, NEW);
    assert.equal(await heading(other), 'Your account');
    await close(other);
    await close(page);
  });
}

test('tabs that were opened before sign-in all arrive where they wanted', async () => {
  const user = server.person('tabs');
  const context = await browser.newContext({ locale: 'en' });
  const targets = ['1', '2', '3'].map((n) => `${server.url}/devportal/apis?tenant=${TENANT}&tab=${n}`);
  const tabs = await Promise.all(targets.map(async (target) => {
    const page = await context.newPage();
    await page.goto(target);
    return page;
  }));
  await Promise.all(tabs.map((page) => signIn(page, user)));
  for (const [index, page] of tabs.entries()) assert.equal(page.url(), targets[index]);
  await context.close();
});

test('a typed password can be shown, and is still sent as a password', async () => {
  const page = await open(browser);
  await page.goto(server.url + ACCOUNT);
  const field = page.getByLabel('Password', { exact: true });
  const button = page.getByRole('button', { name: 'Show: Password' });
  await field.fill('secret');
  await button.click();
  assert.equal(await field.getAttribute('type'), 'text');
  assert.equal(await button.getAttribute('aria-pressed'), 'true');
  await button.click();
  assert.equal(await field.getAttribute('type'), 'password');
  await close(page);
  const without = await open(browser, { javaScriptEnabled: false });
  await without.goto(server.url + ACCOUNT);
  assert.equal(await without.locator('button[data-shows]').isVisible(), false);
  await close(without);
});

test('the back button after signing out shows nothing of the account', async () => {
  const page = await signedIn(server.person('back'));
  await page.goto(`${server.url}/.doorward/sign-out?tenant=${TENANT}`);
  await submit(page, 'Sign out');
  await page.goBack();
  await page.goBack();
  await page.waitForLoadState('load');
  assert.notEqual(await heading(page), 'Your account');
  await close(page);
});

test('every sign-in and account page: axe finds nothing, it fits, targets are large', async () => {
  const user = server.person('looks');
  for (const [look, options] of Object.entries({
    light: {}, dark: { colorScheme: 'dark' }, narrow: { viewport: { width: 320, height: 640 } },
  })) {
    const page = await open(browser, { bypassCSP: true, ...options });
    const look_at = async (name) => {
      assert.deepEqual(await findings(page), [], `${name}, ${look}`);
      await fitsItsWindow(page);
      await targetsAreLarge(page);
      await screenshot(page, `account-${name}-${look}`);
    };
    await page.goto(server.url + ACCOUNT);
    await look_at('sign-in');
    await signIn(page, 'no-such-user', 'wrong');
    await look_at('sign-in-wrong');
    await signIn(page, user);
    await look_at('account');
    await page.goto(`${server.url}/.doorward/account/password?tenant=${TENANT}`);
    await look_at('password');
    await page.goto(`${server.url}/.doorward/sign-out?tenant=${TENANT}`);
    await look_at('sign-out');
    await submit(page, 'Sign out');
    await look_at('signed-out');
    await page.context().close();
  }
});
