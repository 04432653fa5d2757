// One browser for a test file, with what the tests ask of every page: no error on the console, nothing wider than
// the window, nothing for axe to find.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const require = createRequire(import.meta.url);
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const OUTPUT = fileURLToPath(new URL('../output/browser/', import.meta.url));

// The addresses `doorward demo --json` printed; run.mjs hands them on.
export const demo = JSON.parse(process.env.DOORWARD_DEMO);

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
    ],
  });
}

// A page whose console must stay silent.
export async function open(browser, options = {}) {
  const context = await browser.newContext({ locale: 'en', viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.complaints = [];
  page.on('pageerror', (error) => page.complaints.push(String(error)));
  page.on('console', (message) => {
    // an error page's own status is no complaint
    const isOwnStatus = message.text().includes('Failed to load resource') && message.location().url === page.url();
    if (message.type() === 'error' && !isOwnStatus) page.complaints.push(message.text());
  });
  return page;
}

export async function close(page) {
  assert.deepEqual(page.complaints, [], 'the console is silent');
  await page.context().close();
}

// axe needs a script in the page, which our policy forbids: the context is opened with `bypassCSP`.
export async function findings(page) {
  await page.evaluate(AXE);
  const result = await page.evaluate(() => globalThis.axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  }));
  return result.violations.map((violation) =>
    `${violation.id}: ${violation.help} (${violation.nodes.map((node) => node.target).join(', ')})`);
}

export async function fitsItsWindow(page) {
  const [content, window] = await page.evaluate(() =>
    [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(content <= window, `the page is ${content} px wide in a window of ${window} px`);
}

// WCAG asks for 24 px; ours are 44 px, except links inside a sentence.
export async function targetsAreLarge(page) {
  const small = await page.evaluate(() =>
    [...document.querySelectorAll('a, button, summary, input:not([type=hidden])')]
      .filter((element) => !element.closest('p') && element.checkVisibility())
      .map((element) => [element.textContent.trim(), element.getBoundingClientRect()])
      .filter(([, box]) => box.height < 44 || box.width < 44)
      .map(([text, box]) => `${text}: ${box.width} × ${box.height}`));
  assert.deepEqual(small, [], 'every target has at least 44 px');
}

export async function screenshot(page, name) {
  mkdirSync(OUTPUT, { recursive: true });
  await page.screenshot({ path: `${OUTPUT}${name}.png`, fullPage: true });
}
