import { startAlerts } from './alerts.js';
import { call, onSignedOut } from './api.js';
import { announce, byId, setText, showError } from './dom.js';
import { startFriends } from './friends.js';
import { completeSignIn, isBack, startSignIn } from './issuer.js';
import { startPictures } from './pictures.js';
import { startPing } from './ping.js';
import { startPoints } from './points.js';
import { startQueues } from './queues.js';
import { forget, keep, keepOwn, signedIn, token, userOf } from './session.js';

/** Stops the parts of the page that run while a user is signed in. */
let stop = () => undefined;

function enter(focus = false) {
  const { user, name } = signedIn();
  byId('welcome').hidden = true;
  byId('work').hidden = false;
  byId('who').hidden = false;
  setText(byId('user'), name);
  const points = startPoints(user);
  const friends = startFriends(user);
  const queues = startQueues((bindings) => alerts.bind(bindings));
  const alerts = startAlerts(() => queues.wake());
  const pictures = startPictures(friends.count, () => {
    queues.wake();
    points.refresh();
  });
  startPing();
  queues.wake();
  points.refresh();
  stop = () => {
    queues.stop();
    pictures.stop();
    friends.stop();
  };
  if (focus) byId('main').focus();
}

let isLeaving = false;

function leave(error) {
  // Several requests are refused at once.
  if (isLeaving) return;
  stop();
  forget();
  // Everything on the page belongs to this user, so it is reloaded.
  if (!byId('work').hidden) {
    isLeaving = true;
    // Its parts show the error of their requests too, which the sign-in is about to show.
    byId('work').hidden = true;
    if (error) sessionStorage.setItem('warren-why', error.message);
    location.reload();
    return;
  }
  byId('welcome').hidden = false;
  showError(byId('sign-in-error'), error);
}

byId('sign-in').addEventListener('submit', async (event) => {
  event.preventDefault();
  const error = byId('sign-in-error');
  showError(error);
  try {
    const text = byId('user-id').value.trim();
    keep((await call('POST', 'session', { user_id: text })).token);
    enter(true);
    announce(`Signed in as user ${text}`);
  } catch (problem) {
    showError(error, problem);
    // Outside development, a token from an issuer is the only way to sign in.
    byId('token-form').parentElement.open ||= problem.status === 404;
  }
});

byId('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const value = byId('token')
    .value.trim()
    .replace(/^Bearer +/i, '');
  if (userOf(value) === undefined) {
    showError(
      byId('sign-in-error'),
      new Error('That is no token: expected three parts with dots between them.'),
    );
    return;
  }
  keep(value);
  enter(true);
});

byId('sign-out').addEventListener('click', () => leave());
onSignedOut(leave);

/** The sign-in at the issuer takes the place of the others, and is completed if the issuer has just led back. */
async function offerIssuer() {
  const { issuer } = await call('GET', 'page/sign-in.json');
  if (!issuer) return;
  byId('issuer').hidden = false;
  byId('sign-in').hidden = true;
  byId('token-form').parentElement.hidden = true;
  byId('issuer-sign-in').addEventListener('click', () => startSignIn(issuer));
  if (!isBack()) return;
  keepOwn(await completeSignIn(issuer));
  enter(true);
}

const why = sessionStorage.getItem('warren-why');
sessionStorage.removeItem('warren-why');
if (token()) enter();
else {
  let error = why ? new Error(why) : undefined;
  await offerIssuer().catch((problem) => {
    error ??= problem;
  });
  if (!token()) leave(error);
}
