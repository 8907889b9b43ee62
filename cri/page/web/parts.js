import { el, fill, keyed, flash, byId } from './dom.js';

/** @import { Child } from './dom.js' */

/* What several sections are made of. */

/**
 * What stands where there is nothing yet, and what to do next.
 * @param {Child} text
 * @param {Child[]} advice
 */
export function nothing(text, ...advice) {
  return el('div', { class: 'empty' }, el('p', {}, text), el('p', { class: 'hint' }, advice));
}

/**
 * The head of a table.
 * @param {readonly string[]} columns
 * @param {Record<string, string>} [attributes]
 */
export function tableHead(columns, attributes = {}) {
  return el(
    'thead',
    attributes,
    el(
      'tr',
      {},
      columns.map((text) => el('th', { scope: 'col' }, text)),
    ),
  );
}

/**
 * One colour and what it stands for.
 * @param {string} kind
 * @param {Child[]} text
 */
export function legendKey(kind, ...text) {
  return el('span', { class: 'key' }, el('i', { class: `swatch ${kind}`, 'aria-hidden': true }), text);
}

/**
 * A section that is a list, a hint in its title, and something above the list: `#<name>-list` and `#<name>s-hint` of
 * the page.
 */
export class ListSection {
  #name;
  #tag;
  /** @type {{ above: Element, list: Element } | undefined} Made when there is something to show. */
  #shown;

  /**
   * @param {'image' | 'start'} name
   * @param {'ul' | 'ol'} tag
   */
  constructor(name, tag) {
    this.#name = name;
    this.#tag = tag;
  }

  /**
   * Nothing is to be listed: says so.
   * @param {Child} text
   * @param {Child[]} advice
   */
  empty(text, ...advice) {
    this.#shown = undefined;
    byId(`${this.#name}s-hint`).textContent = '';
    fill(byId(`${this.#name}-list`), nothing(text, advice));
  }

  /**
   * Lists the items, each by the element that `make` makes of it; what has changed flashes.
   * @template T
   * @param {{ hint: string, above: Child, items: readonly T[], keyOf: (item: T) => string, make: (item: T) => Element }} content
   */
  show({ hint, above, items, keyOf, make }) {
    byId(`${this.#name}s-hint`).textContent = hint;
    if (this.#shown === undefined) {
      this.#shown = { above: el('div'), list: el(this.#tag, { class: `${this.#name}s` }) };
      fill(byId(`${this.#name}-list`), this.#shown.above, this.#shown.list);
    }
    fill(this.#shown.above, above);
    keyed(this.#shown.list, items, keyOf, make, flash);
  }
}
