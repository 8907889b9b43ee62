import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { HostPort, PodNetwork } from '../../network/pod-network.ts';
import { type NodeNetworkRig, until } from './node-network.ts';

const UDP: HostPort = { protocol: 'udp', hostPort: 5353, containerPort: 53, hostIp: '' };
const ASK = `const s = require('node:dgram').createSocket('udp4'); s.bind(4000); s.on('message', (m) => process.stdout.write(m + '\\n')); setInterval(() => s.send('?', 5353, '192.0.2.1'), 20);`;
const answer = (name: string): string =>
  `const s = require('node:dgram').createSocket('udp4'); s.on('message', (_, r) => s.send('${name}', r.port, r.address)); s.bind(53);`;

/**
 * A client outside of the node that never pauses asks the same host port while a pod comes and is replaced by another
 * one. Rejects when it does not hear of each pod in its turn.
 */
export async function followFlow(rig: NodeNetworkRig, network: PodNetwork): Promise<void> {
  const heard = new Set<string>();
  const start = (netns: string, script: string): ChildProcess =>
    spawn('nsenter', [`--net=${netns}`, process.execPath, '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  const asking = start(rig.outside(), ASK);
  const children = [asking];
  asking.stdout!.on('data', (data: Buffer) => {
    for (const line of data.toString().trim().split('\n')) heard.add(line);
  });
  try {
    for (const name of ['old', 'new']) {
      const pod = rig.pod(name, [UDP]);
      children.push(start(pod.netnsPath, answer(name)));
      const attachment = await network.attach(pod);
      await until(() => heard.has(name));
      await network.detach(pod, attachment);
    }
  } finally {
    for (const child of children) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
}
