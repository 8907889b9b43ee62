import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxImage, pushImage } from '../../image-builder.ts';
import {
  containerConfig,
  ContainerState,
  createContainer,
  eventually,
  removeAllPods,
  removePod,
  runSandbox,
  SandboxState,
  shell,
} from '../../pods.ts';
import { ServiceNode, sh } from './service-node.ts';

/*
 * Steps of the host's scenarios (../power.ts), each a command of its own, because the machine may go off in the middle
 * of one: `bin/node test/vm/inside/scenario.ts STEP …`.
 */

const REGISTRY = '127.0.0.1:5000';
const LARGE = `${REGISTRY}/large:1`;
const LARGE_LAYERS = 3;
const LARGE_LAYER_BYTES = 10 << 20;

/** A first process that cares for no SIGTERM would hold up an orderly reboot for a minute and a half. */
const ENDS_WHEN_TOLD = 'trap "exit 0" TERM; sleep 100000 & wait';

const REGISTRY_CONFIG = `version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: /var/lib/lane-registry } }
http: { addr: "${REGISTRY}" }
`;

const REGISTRY_UNIT = `[Service]
ExecStart=/usr/bin/docker-registry serve /etc/lane-registry.yml
[Install]
WantedBy=multi-user.target
`;

/** The daemon, a registry that comes back with the machine, a small image in the store and a large one to pull. */
async function prepare(): Promise<void> {
  mkdirSync('/var/lib/lane-registry', { recursive: true });
  writeFileSync('/etc/lane-registry.yml', REGISTRY_CONFIG);
  writeFileSync('/etc/systemd/system/lane-registry.service', REGISTRY_UNIT);
  await sh('systemctl daemon-reload && systemctl enable --quiet --now lane-registry');
  await eventually('the registry serves', 60_000, async () =>
    (await fetch(`http://${REGISTRY}/v2/`).catch(() => undefined))?.ok === true ? true : undefined,
  );
  await pushImage(REGISTRY, 'busybox:1', busyboxImage());
  const layers = Array.from({ length: LARGE_LAYERS }, (_, index) => ({
    files: [{ path: `noise-${index}`, content: randomBytes(LARGE_LAYER_BYTES) }],
    compression: 'none' as const,
  }));
  const { config = {}, layers: base } = busyboxImage();
  await pushImage(REGISTRY, 'large:1', { config, layers: [...base, ...layers] });
  // 29 addresses: a second round of 20 pods finds none when those of the first are not free again.
  const node = await ServiceNode.start('systemd', { network: { pod_cidr: '10.90.0.0/27' } });
  await sh('sync');
  node.client.close();
}

/** Starts pods, all at once, and says of each when it runs. */
async function startPods(count: number): Promise<void> {
  const node = ServiceNode.running('systemd');
  await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const pod = await node.pod(`power-${index}`);
      const sandbox = await runSandbox(node, pod);
      const container = await createContainer(
        sandbox,
        node,
        containerConfig('main', ['sh', '-c', ENDS_WHEN_TOLD]),
        pod,
      );
      await node.client.call('StartContainer', { containerId: container });
      console.log(`runs ${sandbox} ${container}`);
    }),
  );
  node.client.close();
}

async function pullLarge(): Promise<void> {
  const node = ServiceNode.running('systemd');
  console.log('pulling');
  const { imageRef } = await node.client.call('PullImage', { image: { image: LARGE } });
  console.log(`pulled ${imageRef}`);
  node.client.close();
}

/** Pods come and go, images too, until the machine goes off: says when all of that has begun, and what the large image is. */
async function churn(workers: number): Promise<void> {
  const node = ServiceNode.running('systemd');
  const image = { image: { image: LARGE } };
  const pods = async (worker: number): Promise<never> => {
    for (let round = 0; ; round++) {
      const pod = await node.pod(`churn-${worker}-${round}`);
      const sandbox = await runSandbox(node, pod);
      for (const name of ['one', 'two']) {
        const config = containerConfig(name, ['sh', '-c', ENDS_WHEN_TOLD]);
        const container = await createContainer(sandbox, node, config, pod);
        await node.client.call('StartContainer', { containerId: container });
      }
      await removePod(node, sandbox);
      if (round === 0) console.log('a pod came and went');
    }
  };
  const images = async (): Promise<never> => {
    for (;;) {
      await node.client.call('PullImage', image);
      console.log('large: there');
      console.log('large: going');
      // The host hears of it before it is true, also when the power goes in between.
      await sleep(200);
      await node.client.call('RemoveImage', image);
    }
  };
  await Promise.all([images(), ...Array.from({ length: workers }, (_, worker) => pods(worker))]);
}

/** What the node holds: for the host to judge, as one line of JSON. */
async function look(): Promise<void> {
  const node = ServiceNode.running('systemd');
  const { items } = await node.client.call('ListPodSandbox', {});
  const { containers } = await node.client.call('ListContainers', {});
  const { images } = await node.client.call('ListImages', {});
  const report = JSON.parse((await node.client.call('Check', {})).json) as {
    pods: object[];
    store: { verified: number; unverifiable: number; findings: object[] };
  };
  const statuses = await Promise.all(
    containers.map(
      async ({ id }) => (await node.client.call('ContainerStatus', { containerId: id })).status!,
    ),
  );
  using records = new DatabaseSync('/var/lib/berth/berth.db', { readOnly: true });
  const leases = records.prepare("SELECT count(*) AS many FROM records WHERE kind = 'addresses'").get();
  console.log(
    JSON.stringify({
      ready: items.filter(({ state }) => state === SandboxState.READY).length,
      sandboxes: items.map(({ id }) => id),
      running: containers.filter(({ state }) => state === ContainerState.RUNNING).length,
      containers: containers.map(({ id }) => id),
      timeless: statuses.filter(
        ({ createdAt, finishedAt, state }) =>
          createdAt <= 0n || (state === ContainerState.EXITED && finishedAt <= 0n),
      ).length,
      images: images.flatMap(({ repoTags }) => repoTags),
      leases: (leases as { many: number }).many,
      check: report,
      quarantined: (await sh('ls -A /var/lib/berth/images/quarantine 2>/dev/null || true')).trim(),
    }),
  );
  node.client.close();
}

/** Removes what was, and shows that the node works: the image runs, commands in it, and so many pods have addresses. */
async function goOn(count: number): Promise<void> {
  const node = ServiceNode.running('systemd');
  await removeAllPods(node);
  const addresses = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const pod = await node.pod(`next-${index}`);
      const sandbox = await runSandbox(node, pod);
      if (index === 0) {
        const container = await createContainer(
          sandbox,
          node,
          containerConfig('main', ['sleep', '1000']),
          pod,
        );
        await node.client.call('StartContainer', { containerId: container });
        console.log(await shell(node, container, 'echo works; sha256sum /bin/busybox | cut -c1-8'));
      }
      const { status } = await node.client.call('PodSandboxStatus', { podSandboxId: sandbox });
      return status!.network!.ip;
    }),
  );
  if (new Set(addresses).size !== count) throw new Error(`Addresses twice: ${addresses.join(' ')}`);
  await node.clear();
  node.client.close();
  console.log(`${count} pods have had addresses`);
}

const steps: Record<string, (argument: number) => Promise<void>> = {
  prepare,
  'start-pods': startPods,
  'pull-large': pullLarge,
  churn,
  look,
  'go-on': goOn,
};
const [name = '', argument = '0'] = process.argv.slice(2);
await steps[name]!(Number(argument));
