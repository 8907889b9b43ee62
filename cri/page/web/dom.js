/*
 * Elements from data. Text only ever becomes text: nothing here reads markup, and the page's policy forbids it.
 */

/**
 * What an element can hold; null, undefined, false and the empty text are left out.
 * @typedef {Node | string | number | boolean | null | undefined | readonly Child[]} Child
 */

/**
 * What `keyed` orders its children in: an element, or the part of one.
 * @typedef {object} Place
 * @property {Element | null} firstElementChild
 * @property {(child: Element, before: Element | null) => unknown} insertBefore
 */

/**
 * Makes an element. Properties: `class`, `data-…`, `aria-…` and other attributes; children: elements, texts, numbers,
 * lists of those; null and false are left out.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string | number | boolean | null | undefined>} [attributes]
 * @param {Child[]} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (value !== null && value !== undefined && value !== false)
      element.setAttribute(name, value === true ? '' : String(value));
  append(element, children);
  return element;
}

/**
 * @param {Element} element
 * @param {readonly Child[]} children
 */
function append(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false || child === '') continue;
    if (child instanceof Node) element.append(child);
    else if (typeof child === 'object') append(element, child);
    else element.append(String(child));
  }
}

/**
 * The element of the page that has this id. Throws when the page has none.
 * @param {string} id
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`The page has no #${id}`);
  return element;
}

/**
 * Replaces all that an element holds.
 * @param {Element} element
 * @param {Child[]} children
 */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/**
 * Gives an element a width in percent of its place, and where that begins.
 * @template {HTMLElement} T
 * @param {T} element
 * @param {number} percent
 */
export function extent(element, percent, from = 0) {
  element.style.setProperty('--from', `${from.toFixed(3)}%`);
  element.style.setProperty('--wide', `${percent.toFixed(3)}%`);
  return element;
}

/**
 * Children by key, and what each was made of, as text.
 * @typedef {Map<string, { child: Element, text: string }>} Children
 */

/**
 * What `keyed` has made.
 * @type {WeakMap<Place, Children>}
 */
const known = new WeakMap();

/**
 * Makes the children of `parent` those of `items`, in their order. A child is made again only when its item has
 * changed; one that was open stays open. `changed` is told of each child that is made again.
 * @template T
 * @param {Place} parent
 * @param {readonly T[]} items
 * @param {(item: T) => string} keyOf
 * @param {(item: T) => Element} make
 * @param {(child: Element) => void} changed
 */
export function keyed(parent, items, keyOf, make, changed) {
  /** @type {Children} */
  const before = known.get(parent) ?? new Map();
  /** @type {Children} */
  const after = new Map();
  const first = before.size === 0;
  const wanted = new Set(items.map(keyOf));
  for (const [key, { child }] of before) if (!wanted.has(key)) child.remove();
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const text = JSON.stringify(item);
    const old = before.get(key);
    let child = old?.child;
    if (child === undefined || old?.text !== text) {
      const made = make(item);
      if (child !== undefined) {
        takeOver(child, made);
        if (child === place) place = child.nextElementSibling;
        child.replaceWith(made);
      }
      child = made;
      if (!first) changed(child);
    }
    after.set(key, { child, text });
    if (child === place) place = place.nextElementSibling;
    else if (!child.isConnected || child.nextElementSibling !== place) parent.insertBefore(child, place);
  }
  known.set(parent, after);
}

/**
 * What a person did with the old element stays with the new one.
 * @param {Element} old
 * @param {Element} now
 */
function takeOver(old, now) {
  const [before, after] = [old, now].map((one) =>
    one.matches('details') ? one : one.querySelector('details'),
  );
  if (before instanceof HTMLDetailsElement && after instanceof HTMLDetailsElement) after.open = before.open;
  if (!old.contains(document.activeElement)) return;
  queueMicrotask(() => {
    const target = now.querySelector('summary, a, button');
    if (target instanceof HTMLElement) target.focus({ preventScroll: true });
  });
}

/**
 * Shows for a moment that something is new here.
 * @param {Element} element
 */
export function flash(element) {
  element.classList.add('new');
  setTimeout(() => element.classList.remove('new'), 1600);
}
