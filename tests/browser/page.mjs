// What people do on Doorward's own pages.

export const heading = (page) => page.locator('h1').textContent();

export async function submit(page, button) {
  await Promise.all([page.waitForEvent('framenavigated'), page.getByRole('button', { name: button, exact: true }).click()]);
  await page.waitForLoadState('load');
}

export async function signIn(page, user, password) {
  await page.getByLabel('User name or e-mail').fill(user);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await submit(page, 'Sign in');
}
