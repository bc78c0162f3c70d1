import { ApiError, call } from './api.js';
import { confirmed } from './confirm.js';
import { announce, byId, element, showError } from './dom.js';
import { watch } from './watch.js';

const wordsOf = { requests: 'wants to be friends', friends: '', requested: 'has not answered yet' };

/**
 * The part of the page that shows a user's friends and requests, and sends, accepts, declines, withdraws and ends them.
 *
 * @returns `count`, which resolves with the number of friends.
 */
export function startFriends(user) {
  const [form, field, error, none] = ['friend-form', 'friend-id', 'friends-error', 'no-friends'].map(byId);
  let last;
  /** Whether the error is about the list. The next list does not answer an action that was refused. */
  let isUnread = false;
  let known = { friends: [], requested: [], requests: [] };

  async function look() {
    try {
      const now = await call('GET', `users/${user}/friends`);
      if (isUnread) showError(error);
      isUnread = false;
      byId('friends-loading').hidden = true;
      const text = JSON.stringify(now);
      if (text === last) return false;
      const before = known;
      const first = last === undefined;
      [last, known] = [text, now];
      show();
      if (!first) announceNew(before.requests, now.requests);
      return !first;
    } catch (problem) {
      byId('friends-loading').hidden = true;
      showError(error, problem);
      isUnread = true;
      return false;
    }
  }

  const watcher = watch(look, { often: 5000, seldom: 60_000, patience: 3 });
  const loaded = look();
  loaded.then(() => watcher.wake());

  async function change(method, friend, news) {
    // Before the request, because the row with the button disappears after it; then the focus is on the body.
    const { activeElement, body } = document;
    const focused = activeElement === body || activeElement.closest('#friends-panel [data-user]') !== null;
    try {
      await call(method, `users/${user}/friends/${encodeURIComponent(friend)}`);
    } catch (problem) {
      // 404: the text is no user's number, and the path has no such friend.
      const unclear = problem.status === 404 && !/^[1-9]\d*$/.test(friend);
      showError(error, unclear ? new ApiError(404, 'That is no user number.') : problem);
      isUnread = false;
      return false;
    }
    showError(error);
    await look();
    announce(news);
    if (focused) (byId('friends-panel').querySelector(`[data-user="${friend}"] button`) ?? field).focus();
    return true;
  }

  const actionsOf = {
    requests: ({ user_id, name }) => [
      button('Accept', name, '', () => change('PUT', user_id, `You and ${name} are friends now`)),
      button('Decline', name, 'quiet', () => change('DELETE', user_id, `Declined the request of ${name}`)),
    ],
    friends: ({ user_id, name }) => [
      button('Remove', name, 'quiet', async () => {
        const question = {
          title: `Remove ${name}?`,
          text: 'You will get no more mails about each other’s pictures. To be friends again, both of you have to agree.',
          yes: 'Remove',
          no: 'Stay friends',
        };
        if (await confirmed(question)) await change('DELETE', user_id, `${name} is no longer your friend`);
      }),
    ],
    requested: ({ user_id, name }) => [
      button('Withdraw', name, 'quiet', () => change('DELETE', user_id, `Withdrew the request to ${name}`)),
    ],
  };

  function show() {
    const focus = document.activeElement;
    const place = {
      user: focus.closest?.('#friends-panel [data-user]')?.dataset.user,
      label: focus.ariaLabel,
    };
    for (const [kind, actions] of Object.entries(actionsOf)) {
      const people = known[kind].map((each) => ({ name: `user ${each.user_id}`, ...each }));
      byId(kind).replaceChildren(...people.map((each) => row(each, wordsOf[kind], actions(each))));
      byId(kind).parentElement.hidden = people.length === 0;
    }
    none.hidden = known.friends.length > 0;
    // The new row has new buttons.
    if (place.user)
      byId('friends-panel')
        .querySelector(`[aria-label="${CSS.escape(place.label)}"]`)
        ?.focus();
  }

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const friend = field.value.trim();
    showError(error);
    const accepts = known.requests.find(({ user_id }) => String(user_id) === friend);
    const news = accepts ? `You and ${accepts.name} are friends now` : `Request to user ${friend} sent`;
    if (await change('PUT', friend, news)) field.value = '';
    field.ariaInvalid = error.hidden ? null : 'true';
  });

  return {
    async count() {
      await loaded;
      return known.friends.length;
    },
    stop: () => watcher.stop(),
  };
}

function announceNew(before, now) {
  const ids = new Set(before.map(({ user_id }) => user_id));
  const names = now.filter(({ user_id }) => !ids.has(user_id)).map(({ name }) => name);
  if (names.length > 0) announce(`New request of ${new Intl.ListFormat('en').format(names)}`);
}

function row({ user_id, name }, words, buttons) {
  const who = element('p', {}, element('b', {}, name.replace(/^user /, 'User ')), words && ` ${words}`);
  const data = { user: user_id };
  return element('li', { data }, who, element('div', { className: 'actions' }, ...buttons));
}

/** A button that is pressed once: further clicks count after its action has ended. */
function button(text, name, className, act) {
  const made = element('button', { type: 'button', className, ariaLabel: `${text} ${name}` }, text);
  made.addEventListener('click', async () => {
    if (made.ariaDisabled === 'true') return;
    made.ariaDisabled = 'true';
    await act();
    made.ariaDisabled = null;
  });
  return made;
}
