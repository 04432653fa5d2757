// Every page of Doorward in every colour scheme, language and width.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { close, demo, findings, fitsItsWindow, launch, open, screenshot, targetsAreLarge } from './browser.mjs';

// every page the gallery lists: a test in Rust holds that it lists all of them
const index = await (await fetch(demo.gallery)).text();
const listed = [...index.matchAll(/\/pages\/([a-z-]+)/g)].map(([path, name]) => [name, path]);
assert.ok(listed.length > 10, `the gallery lists ${listed.length} pages`);
const PAGES = listed.concat([
  ['tenants', '/.doorward/tenants'],
  ['tenants-middle', '/.doorward/tenants?page=12'],
  ['tenants-search', '/.doorward/tenants?q=team-004'],
  ['tenants-empty', '/.doorward/tenants?q=unknown'],
]);

const LOOKS = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  narrow: { viewport: { width: 320, height: 640 } },
  rtl: { locale: 'ar' },
  'rtl-narrow-dark': { locale: 'ar', viewport: { width: 320, height: 640 }, colorScheme: 'dark' },
  // 1280 px at 200 % leaves the page 640
  zoomed: { viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 },
  'forced-colors': { forcedColors: 'active' },
};

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

for (const [look, options] of Object.entries(LOOKS)) {
  test(`every page, ${look}: axe finds nothing, it fits, targets are large`, async () => {
    const page = await open(browser, { bypassCSP: true, ...options });
    for (const [name, path] of PAGES) {
      await page.goto(demo.gallery + path);
      assert.deepEqual(await findings(page), [], `${name}, ${look}`);
      await fitsItsWindow(page);
      await targetsAreLarge(page);
      if (look === 'rtl') {
        assert.equal(await page.evaluate(() => getComputedStyle(document.body).direction), 'rtl');
      }
      await screenshot(page, `${name}-${look}`);
    }
    await page.context().close();
  });
}

test('every page is complete without JavaScript and under its own policy', async () => {
  for (const javaScriptEnabled of [true, false]) {
    const page = await open(browser, { javaScriptEnabled });
    for (const [name, path] of PAGES) {
      const answer = await page.goto(demo.gallery + path);
      assert.match(answer.headers()['content-security-policy'], /default-src 'none'/);
      assert.equal(await page.locator('h1').count(), 1, name);
      // a script only where there is a form for it to help with, and only ours
      const scripts = await page.locator('script').evaluateAll((all) => all.map((script) => script.getAttribute('src')));
      for (const script of scripts) assert.match(script, /^\/\.doorward\/assets\/doorward-[0-9a-f]+\.js$/, name);
      assert.equal(scripts.length > 0, /script-src 'self'/.test(answer.headers()['content-security-policy']), name);
      // the style sheet was let in by the policy
      assert.notEqual(await page.locator('.card').evaluate((card) => getComputedStyle(card).borderRadius), '0px', name);
    }
    await close(page);
  }
});

test('a tenant’s accent is worn and stays readable, whatever it is', async () => {
  for (const hex of ['b3261e', 'ffeb3b', 'ffffff', '000000', '777777', '00ff00']) {
    for (const colorScheme of ['light', 'dark']) {
      const page = await open(browser, { bypassCSP: true, colorScheme });
      await page.goto(`${demo.gallery}/pages/portal-down?brand=${hex}`);
      assert.deepEqual(await findings(page), [], `#${hex}, ${colorScheme}`);
      const worn = await page.locator('.button').evaluate((button) => getComputedStyle(button).backgroundColor);
      const [red, green, blue] = hex.match(/../g).map((digits) => Number.parseInt(digits, 16));
      assert.equal(worn, `rgb(${red}, ${green}, ${blue})`);
      await screenshot(page, `brand-${hex}-${colorScheme}`);
      await page.context().close();
    }
  }
});

test('one click selects the whole request id', async () => {
  const page = await open(browser);
  await page.goto(`${demo.gallery}/pages/portal-down`);
  const id = await page.locator('.print code').textContent();
  await page.locator('.print code').click();
  assert.equal(await page.evaluate(() => String(getSelection())), id);
  await close(page);
});

test('the list of tenants works by keyboard alone, with and without JavaScript', async () => {
  for (const javaScriptEnabled of [true, false]) {
    const page = await open(browser, { javaScriptEnabled });
    await page.goto(`${demo.gallery}/.doorward/tenants?to=%2Fdevportal%2Fapis%3Fx%3D1`);
    assert.match(await page.locator('[role=status]').textContent(), /1,234 tenants/);
    await page.keyboard.press('Tab');
    await page.keyboard.type('TEAM-0042');
    await page.keyboard.press('Enter');
    await page.waitForURL(/q=TEAM-0042/);
    assert.match(await page.locator('[role=status]').textContent(), /One tenant has “TEAM-0042” in its name/);
    // field, button, the one tenant
    for (let step = 0; step < 3; step += 1) await page.keyboard.press('Tab');
    const focused = page.locator(':focus');
    assert.equal((await focused.textContent()).trim(), 'team-0042.example');
    assert.notEqual(await focused.evaluate((link) => getComputedStyle(link).outlineStyle), 'none', 'focus is seen');
    assert.equal(await focused.getAttribute('href'), '/devportal/apis?x=1&tenant=team-0042.example');
    await close(page);
  }
});

test('the list of tenants has pages, and says which one is shown', async () => {
  const page = await open(browser, { javaScriptEnabled: false });
  await page.goto(`${demo.gallery}/.doorward/tenants`);
  await page.getByRole('link', { name: 'Next' }).click();
  assert.match(page.url(), /page=2/);
  assert.equal(await page.locator('[aria-current=page]').textContent(), '2');
  await page.getByRole('link', { name: 'Page 25', exact: true }).click();
  assert.equal(await page.locator('.list li').count(), 34);
  await page.getByRole('link', { name: 'Previous' }).click();
  assert.equal(await page.locator('[aria-current=page]').textContent(), '24');
  await close(page);
});
