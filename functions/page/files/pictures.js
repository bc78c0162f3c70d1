import { call } from './api.js';
import { createCard } from './card.js';
import { confirmed } from './confirm.js';
import { announce, byId, setText, showError } from './dom.js';
import { upload } from './upload.js';
import { watch } from './watch.js';

/** Maximum number of pictures that one request asks for; the others follow when the first are done. */
const most = 4;

const question = {
  title: 'Delete this picture?',
  text: 'Its renditions and the points it earned are deleted, too.',
  yes: 'Delete',
  no: 'Keep it',
};

/**
 * The part of the page that uploads pictures and shows their progress.
 *
 * @param friends resolves with the number of the user's friends.
 * @param onWork is called when a function has new work or has finished it.
 */
export function startPictures(friends, onWork) {
  /** Unsettled pictures by id, with their state. */
  const underWay = new Map();
  const [cards, more, problems] = ['cards', 'more', 'pictures-error'].map(byId);
  const [loading, none] = ['pictures-loading', 'no-pictures'].map(byId);

  async function look() {
    const some = [...underWay].slice(0, most);
    if (some.length === 0) return undefined;
    const changes = await Promise.all(some.map(([id, entry]) => lookAt(id, entry)));
    return changes.includes(true);
  }

  async function lookAt(id, entry) {
    try {
      const picture = await call('GET', `pictures/${id}`);
      showError(problems);
      const { news, settled } = entry.card.update(picture, await friends());
      if (settled) underWay.delete(id);
      if (news.length > 0) {
        announce(`${entry.name}: ${news.join(', ')}`);
        onWork();
      }
      return news.length > 0;
    } catch (error) {
      if (error.status === 404) underWay.delete(id);
      else showError(problems, error);
      return false;
    }
  }

  const watcher = watch(look);
  const follow = (id, entry) => {
    underWay.set(id, entry);
    watcher.wake();
  };

  function add(file) {
    const name = file.name || 'A picture';
    const key = randomKey();
    let id;
    const card = createCard(name, {
      again: () => run(),
      dismiss: () => {
        takeAway(card);
        none.hidden = cards.childElementCount > 0;
      },
      remove: () => remove(id, card),
    });
    card.preview(file);
    cards.prepend(card.node);
    none.hidden = true;
    const run = async () => {
      card.offer();
      card.uploading(0);
      try {
        id = await upload(file, key, (part) => card.uploading(part));
        card.uploading(undefined);
        card.accepted();
        announce(`${name}: uploaded`);
        follow(id, { card, name });
        onWork();
      } catch (error) {
        card.failed(error);
        card.offer('dismiss', error.passing ? 'again' : '');
      }
    };
    run();
  }

  function addListed(listed) {
    const { image_id: id, status } = listed;
    const name = `Picture ${id}`;
    const card = createCard(name, {
      details: () => follow(id, { card, name }),
      remove: () => remove(id, card),
    });
    card.summary(listed);
    cards.append(card.node);
    // The list does not contain the reason of a failure.
    if (status !== 'ready' && status !== 'awaiting') follow(id, { card, name });
  }

  async function remove(id, card) {
    if (!(await confirmed(question))) return;
    try {
      await call('DELETE', `pictures/${id}`);
      underWay.delete(id);
      takeAway(card);
      none.hidden = cards.childElementCount > 0;
      announce('Deleted');
      onWork();
    } catch (error) {
      showError(card.node.querySelector('.error'), error);
    }
  }

  async function older(next = 'pictures?limit=6') {
    try {
      const page = await call('GET', next.replace(/^\//, ''));
      page.pictures.forEach(addListed);
      none.hidden = cards.childElementCount > 0;
      showError(problems);
      offer(page.next, 'Show older pictures');
    } catch (error) {
      showError(problems, error);
      offer(next, 'Try again');
    }
    loading.hidden = true;
  }

  function offer(next, text) {
    more.hidden = !next;
    setText(more, text);
    more.onclick = () => older(next);
  }

  older();
  takeFiles((files) => {
    // The first picture ends up on top.
    for (const file of [...files].reverse()) add(file);
  });
  return { stop: () => watcher.stop() };
}

/** Accepts pictures that are chosen, photographed, dropped or pasted. */
function takeFiles(take) {
  for (const input of [byId('choose'), byId('camera')]) {
    input.onchange = () => {
      take(input.files);
      input.value = '';
    };
  }
  const drop = byId('drop');
  const over = (event, inside) => {
    event.preventDefault();
    drop.classList.toggle('over', inside);
  };
  // On the whole document, because a picture dropped outside the field would replace the page.
  document.ondragover = (event) => over(event, true);
  document.ondragleave = (event) => over(event, event.relatedTarget !== null);
  document.ondrop = (event) => {
    over(event, false);
    take(event.dataTransfer.files);
  };
  document.onpaste = ({ clipboardData }) => take(clipboardData?.files ?? []);
}

/** Removes a card and moves the focus to a neighbor, for keyboard users. */
function takeAway({ node }) {
  const next = node.nextElementSibling ?? node.previousElementSibling;
  (next?.querySelector('button:not([hidden])') ?? byId('choose')).focus();
  node.remove();
}

/** Creates a random key, because crypto.randomUUID is not available to pages over plain HTTP. */
function randomKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
}
