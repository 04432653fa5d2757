// Pages are whole without this. It shows what was typed into a password field, and says that a form is on its way.
'use strict';

const show = (button, shown) => {
  document.getElementById(button.dataset.shows).type = shown ? 'text' : 'password';
  button.setAttribute('aria-pressed', String(shown));
};
const buttons = [...document.querySelectorAll('button[data-shows]')];

for (const button of buttons) {
  button.hidden = false;
  button.addEventListener('click', () => show(button, button.getAttribute('aria-pressed') !== 'true'));
}
for (const form of document.querySelectorAll('form[method=post]')) {
  form.addEventListener('submit', (event) => {
    // once is enough; and what was shown is sent, and remembered by browsers, as a password
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = 'yes';
    for (const button of buttons) show(button, false);
    event.submitter?.setAttribute('aria-busy', 'true');
  });
}
// back from where the form had led: it may be sent again
addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('form[data-sent]')) delete form.dataset.sent;
  for (const busy of document.querySelectorAll('[aria-busy]')) busy.removeAttribute('aria-busy');
});
