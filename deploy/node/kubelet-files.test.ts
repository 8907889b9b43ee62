import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { hindrances } from './drained.ts';
import { HostFiles } from './host-files.ts';
import { endpointOf, filesWith, healthPort } from './kubelet-files.ts';

const OURS = 'unix:///run/berth/berth.sock';
const THEIRS = 'unix:///var/run/containerd/containerd.sock';

describe('where a kubelet is told its runtime', () => {
  let root: string;
  let files: HostFiles;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'berth-kubelet-'));
    files = new HostFiles(root);
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const put = (path: string, text: string): void => {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const changed = (): Record<string, string> =>
    Object.fromEntries(filesWith(files, OURS).map(({ path, text }) => [path, text]));

  it("is the flag in kubeadm's file", () => {
    put(
      '/var/lib/kubelet/kubeadm-flags.env',
      `KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=${THEIRS} --pod-infra-container-image=x/pause:3.10"\n`,
    );
    put(
      '/var/lib/kubelet/config.yaml',
      'kind: KubeletConfiguration\ncontainerRuntimeEndpoint: ""\nhealthzPort: 0\n',
    );
    assert.equal(endpointOf(files), THEIRS);
    assert.deepEqual(changed(), {
      '/var/lib/kubelet/kubeadm-flags.env': `KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=${OURS} --pod-infra-container-image=x/pause:3.10"\n`,
    });
    assert.equal(healthPort(files), 0);
  });

  it('is every place that names one, and the flag that comes last wins', () => {
    put(
      '/var/lib/kubelet/kubeadm-flags.env',
      `KUBELET_KUBEADM_ARGS="--container-runtime-endpoint ${THEIRS}"\n`,
    );
    put('/etc/default/kubelet', "KUBELET_EXTRA_ARGS='--v=2 --container-runtime-endpoint=unix:///x.sock'\n");
    put('/var/lib/kubelet/instance-config.yaml', `containerRuntimeEndpoint: "${THEIRS}" # by kubeadm\n`);
    assert.equal(endpointOf(files), 'unix:///x.sock');
    assert.deepEqual(changed(), {
      '/var/lib/kubelet/kubeadm-flags.env': `KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=${OURS}"\n`,
      '/etc/default/kubelet': `KUBELET_EXTRA_ARGS='--v=2 --container-runtime-endpoint=${OURS}'\n`,
      '/var/lib/kubelet/instance-config.yaml': `containerRuntimeEndpoint: ${OURS}\n`,
    });
  });

  it('is the configuration where there are no flags', () => {
    put('/var/lib/kubelet/config.yaml', `a: 1\ncontainerRuntimeEndpoint: '${THEIRS}'\nb: 2\n`);
    assert.equal(endpointOf(files), THEIRS);
    assert.deepEqual(changed(), {
      '/var/lib/kubelet/config.yaml': `a: 1\ncontainerRuntimeEndpoint: ${OURS}\nb: 2\n`,
    });
    assert.equal(healthPort(files), 10_248);
  });

  it('becomes a flag of kubeadm, a key, or an argument of its own where none is named', () => {
    assert.deepEqual(changed(), {
      '/etc/default/kubelet': `KUBELET_EXTRA_ARGS="--container-runtime-endpoint=${OURS}"\n`,
    });
    put('/var/lib/kubelet/config.yaml', 'a: 1');
    assert.deepEqual(changed(), {
      '/var/lib/kubelet/config.yaml': `a: 1\ncontainerRuntimeEndpoint: ${OURS}\n`,
    });
    put('/var/lib/kubelet/kubeadm-flags.env', 'KUBELET_KUBEADM_ARGS="--v=2"\n');
    assert.deepEqual(changed(), {
      '/var/lib/kubelet/kubeadm-flags.env': `KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=${OURS} --v=2"\n`,
    });
    assert.equal(endpointOf(files), undefined);
  });
});

describe('a drained node', () => {
  const pod = (name: string, more: object = {}) => ({
    namespace: 'default',
    name,
    phase: 'Running',
    annotations: {},
    owners: ['ReplicaSet'],
    ...more,
  });
  const node = { name: 'n1', unschedulable: true, annotations: {}, runtimeVersion: '' };

  it('has no pods but those that a drain leaves', () => {
    const staying = [
      pod('agent', { owners: ['DaemonSet'] }),
      pod('static', { owners: ['Node'], annotations: { 'kubernetes.io/config.mirror': 'x' } }),
      pod('done', { phase: 'Succeeded' }),
      pod('broken', { phase: 'Failed' }),
    ];
    assert.deepEqual(hindrances(node, staying), []);
    assert.deepEqual(hindrances({ ...node, unschedulable: false }, staying), [
      'the node takes new pods (kubectl cordon n1)',
    ]);
    const many = Array.from({ length: 7 }, (_, index) => pod(`web-${index}`));
    assert.deepEqual(hindrances(node, [...staying, ...many]), [
      '7 pods are on it: default/web-0, default/web-1, default/web-2, default/web-3, default/web-4 and 2 more',
    ]);
  });
});
