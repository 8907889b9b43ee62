/*
 * Elements from data. Text only ever becomes text: nothing here reads markup, and the page's policy forbids it.
 */

/**
 * Makes an element. Properties: `class`, `data-…`, `aria-…` and other attributes; children: elements, texts, numbers,
 * lists of those; null and false are left out.
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (value !== null && value !== undefined && value !== false)
      element.setAttribute(name, value === true ? '' : String(value));
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === '') continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/** Replaces all that an element holds. */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/** Gives an element a width in percent of its place, and where that begins. */
export function extent(element, percent, from = 0) {
  element.style.setProperty('--from', `${from.toFixed(3)}%`);
  element.style.setProperty('--wide', `${percent.toFixed(3)}%`);
  return element;
}

/**
 * Makes the children of `parent` those of `items`, in their order. A child is made again only when its item has
 * changed; one that was open stays open. `changed` is told of each child that is made again.
 */
export function keyed(parent, items, keyOf, make, changed = () => {}) {
  const before = (parent.keyed ??= new Map());
  const after = new Map();
  const first = before.size === 0;
  const wanted = new Set(items.map(keyOf));
  for (const [key, { child }] of before) if (!wanted.has(key)) child.remove();
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const text = JSON.stringify(item);
    const known = before.get(key);
    let child = known?.child;
    if (known === undefined || known.text !== text) {
      child = make(item);
      if (known !== undefined) takeOver(known.child, child);
      if (place === known?.child) place = place.nextElementSibling;
      known?.child.replaceWith(child);
      if (!first) changed(child);
    }
    after.set(key, { child, text });
    if (child === place) place = place.nextElementSibling;
    else if (!child.isConnected || child.nextElementSibling !== place) parent.insertBefore(child, place);
  }
  parent.keyed = after;
}

/** What a person did with the old element stays with the new one. */
function takeOver(old, now) {
  const openBefore = old.matches('details') ? old : old.querySelector('details');
  const openNow = now.matches('details') ? now : now.querySelector('details');
  if (openBefore !== null && openNow !== null) openNow.open = openBefore.open;
  if (old.contains(document.activeElement))
    queueMicrotask(() => now.querySelector('summary, a, button')?.focus({ preventScroll: true }));
}

/** Shows for a moment that something is new here. */
export function flash(element) {
  element.classList.add('new');
  setTimeout(() => element.classList.remove('new'), 1600);
}
