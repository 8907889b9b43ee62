import { byId, el, extent, fill } from './dom.js';
import { nothing } from './parts.js';
import { count, portName } from './words.js';

/** @import { NetworkPart, PodPart } from '../parts.ts' */
/** @import { Shown } from './main.js' */

/**
 * Who is reached how: the bridge and what hangs on it, ports of the node, other nodes.
 * @param {Shown} shown
 */
export function showNetwork({ network, pods }) {
  byId('network-hint').textContent = hintOf(network);
  const linked = pods
    .filter(({ hostNetwork, addresses }) => !hostNetwork && addresses.length > 0)
    .sort(byAddress);
  const onNode = pods.filter(({ hostNetwork }) => hostNetwork);
  fill(
    byId('network-picture'),
    network.by === 'none'
      ? nothing('Pods have no network yet.', network.message)
      : el('div', { class: 'tree' }, hub(network), branches(linked)),
    onNode.length > 0 &&
      el('p', { class: 'hint' }, `${count(onNode.length, 'pod')} on the node's own network`),
    network.overlay !== undefined && overlay(network.overlay),
  );
}

/** @param {NetworkPart} network */
function hintOf({ by, firewall }) {
  if (by === 'none') return '';
  return by === 'bridge' ? `built in, rules by ${firewall}` : 'CNI plugins';
}

/** @param {NetworkPart} network */
function hub({ by, name, mtu, plugins, ranges, ready, message }) {
  return el(
    'div',
    { class: 'hub' },
    el('strong', { class: 'mono' }, name),
    el('span', { class: 'hint' }, by === 'cni' ? plugins.join(', ') : mtu > 0 && `MTU ${mtu}`),
    ranges.map(({ cidr, size, inUse }) => [
      el('span', { class: 'mono' }, cidr),
      el(
        'span',
        { class: 'bar', 'aria-hidden': true },
        extent(el('i', { class: 'own' }), Math.min(100, (100 * inUse) / Number(size))),
      ),
      el('span', { class: 'hint' }, `${count(inUse, 'address', 'addresses')} in use`),
    ]),
    !ready && el('span', { class: 'bad' }, message),
  );
}

/** @param {readonly PodPart[]} pods */
function branches(pods) {
  if (pods.length === 0) return el('p', { class: 'hint' }, 'No pod hangs on it yet.');
  return el(
    'ul',
    { class: 'branches' },
    pods.map(({ name, namespace, addresses, hostLink, hostPorts }) =>
      el(
        'li',
        {},
        el('span', { class: 'mono address' }, addresses[0]),
        el(
          'span',
          { class: 'name', title: addresses.join('\n') },
          el('span', { class: 'hint' }, `${namespace}/`),
          name,
        ),
        hostPorts.map((port) => el('span', { class: 'port' }, portName(port))),
        hostLink !== '' && el('span', { class: 'mono hint link' }, hostLink),
      ),
    ),
  );
}

/**
 * By the first address.
 * @param {PodPart} a
 * @param {PodPart} b
 */
function byAddress(a, b) {
  return (a.addresses[0] ?? '').localeCompare(b.addresses[0] ?? '', undefined, { numeric: true });
}

/** @param {NonNullable<NetworkPart['overlay']>} overlay */
function overlay({ node, link, address, podCidrs, mtu, peers }) {
  return el(
    'div',
    { class: 'tree' },
    el(
      'div',
      { class: 'hub' },
      el('strong', { class: 'mono' }, link),
      el('span', { class: 'hint' }, `VXLAN of node ${node}, MTU ${mtu}`),
      el('span', { class: 'mono' }, address || 'no address'),
      el('span', { class: 'hint' }, podCidrs.join(', ') || 'no range'),
    ),
    peers.length === 0
      ? el('p', { class: 'hint' }, 'It leads to no other node yet.')
      : el(
          'ul',
          { class: 'branches' },
          peers.map((peer) =>
            el(
              'li',
              {},
              el('span', { class: 'mono address' }, peer.address),
              el('span', { class: 'name' }, peer.name),
              el('span', { class: 'mono hint' }, peer.podCidrs.join(', ')),
            ),
          ),
        ),
  );
}
