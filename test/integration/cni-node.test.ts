import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, podConfig, removePod, runSandbox, sandboxStatusOf } from '../pods.ts';
import { assertRefused } from '../refusal.ts';
import type { TestNode } from '../node.ts';
import { useNode } from '../use-node.ts';

const BIN = '/run/own-cni';
const PORT = { portMappings: [{ protocol: 0, containerPort: 80, hostPort: 18080 }] };

describe('CNI plugins that fail', () => {
  const suite = useNode({
    cni: { cniVersion: '1.0.0', name: 'test', plugins: [{ type: 'scripted', pool: 'blue' }] },
    config: { network: { bin_dirs: [BIN] } },
  });
  const seen = (node: TestNode, file: string): string => node.space.seen(join(BIN, file));
  /** A plugin that keeps a file for each pod, and does before that what `script` says. */
  const install = (node: TestNode, script: string): void => {
    mkdirSync(seen(node, 'held'), { recursive: true });
    const versions = `{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}`;
    const text = `#!/bin/sh
cat > ${BIN}/config
case $CNI_COMMAND in
VERSION) echo '${versions}'; exit 0;;
ADD) ${script}
  touch ${BIN}/held/$CNI_CONTAINERID
  echo '{"cniVersion":"1.0.0","ips":[{"address":"10.9.0.2/24"}]}';;
DEL) cp ${BIN}/config ${BIN}/config-of-del; rm -f ${BIN}/held/$CNI_CONTAINERID;;
esac
`;
    writeFileSync(seen(node, 'scripted'), text, { mode: 0o755 });
  };
  const held = (node: TestNode, id: string): boolean => existsSync(seen(node, `held/${id}`));
  before(async () => {
    const { node } = suite;
    install(node, '');
    await eventually('the network is ready', 20_000, async () => {
      const { status } = await node.client.call('Status', {});
      return status?.conditions.find(({ type }) => type === 'NetworkReady')?.status === true || undefined;
    });
    await suite.retake();
  });

  it('tell the caller their code and message', async () => {
    const { node } = suite;
    install(node, `echo '{"cniVersion":"1.0.0","code":104,"msg":"no such pool","details":"blue"}'; exit 1`);
    await assertRefused(
      node,
      { code: 'INTERNAL', says: /CNI plugin scripted: ADD failed: code 104: no such pool \(blue\)/ },
      () => runSandbox(node, podConfig(node, 'refused')),
    );
    install(node, `echo '{"cniVersion":"1.0.0","code":11,"msg":"warming up"}'; exit 1`);
    await assertRefused(node, { code: 'UNAVAILABLE', says: /code 11: warming up/ }, () =>
      runSandbox(node, podConfig(node, 'later')),
    );
    install(node, `echo 'panic: runtime error'; exit 2`);
    await assertRefused(node, { code: 'INTERNAL', says: /ended with code 2 .*panic: runtime error/s }, () =>
      runSandbox(node, podConfig(node, 'panics')),
    );
    install(node, '');
  });

  it('are not needed to stop and remove a pod: their part follows when they are back', async () => {
    const { node } = suite;
    const list = join(node.directory, 'net.d/10-test.conflist');
    const text = readFileSync(list, 'utf8');
    const id = await runSandbox(node, podConfig(node, 'debt'));
    assert.equal((await sandboxStatusOf(node, id)).network?.ip, '10.9.0.2');
    assert.ok(held(node, id));
    // Another configuration now, and no program.
    writeFileSync(list, text.replace('blue', 'red'));
    renameSync(seen(node, 'scripted'), seen(node, 'away'));
    await removePod(node, id);
    assert.deepEqual((await node.client.call('ListPodSandbox', {})).items, []);
    assert.ok(held(node, id));
    // The debt outlives the daemon.
    await node.kill9();
    await node.start();
    assert.ok(held(node, id));
    renameSync(seen(node, 'away'), seen(node, 'scripted'));
    await eventually('the debt is paid', 60_000, () => !held(node, id) || undefined);
    assert.match(readFileSync(seen(node, 'config-of-del'), 'utf8'), /"pool":"blue"/);
    writeFileSync(list, text);
    for (const file of ['config', 'config-of-del']) rmSync(seen(node, file), { force: true });
  });
});

describe('host ports of a CNI list, over the CRI', () => {
  const suite = useNode({
    cni: {
      cniVersion: '1.0.0',
      name: 'test',
      plugins: [
        {
          type: 'bridge',
          bridge: 'cni0',
          isGateway: true,
          ipam: { type: 'host-local', ranges: [[{ subnet: '10.87.0.0/24' }]], dataDir: '/run/cni-ipam' },
        },
        { type: 'portmap', capabilities: { portMappings: true } },
      ],
    },
  });
  before(async () => {
    const { node } = suite;
    await removePod(node, await runSandbox(node, podConfig(node, 'warm', PORT)));
    await suite.retake();
  });

  it('are refused early when another pod has them, and 0 is none', async () => {
    const { node } = suite;
    const first = await runSandbox(node, podConfig(node, 'first', PORT));
    await assertRefused(
      node,
      {
        code: 'ALREADY_EXISTS',
        says: new RegExp(`18080/tcp belongs to sandbox ${first} \\(pod default/first\\)`),
      },
      () => runSandbox(node, podConfig(node, 'second', PORT)),
    );
    const none = { portMappings: [{ protocol: 0, containerPort: 80, hostPort: 0 }] };
    for (const name of ['third', 'fourth']) await runSandbox(node, podConfig(node, name, none));
    await removePod(node, first);
    await runSandbox(node, podConfig(node, 'fifth', PORT));
  });
});
