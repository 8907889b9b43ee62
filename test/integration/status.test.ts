import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { containerConfig, createContainer, eventually, podConfig, runSandbox } from '../pods.ts';
import { useNode } from '../use-node.ts';

interface Census {
  inFlight: { operation: string; id: string; stage: string; sinceMs: number }[];
  quarantined: { kind: string; id: string; reason: string }[];
}

describe('Status', () => {
  const suite = useNode();

  const verbose = async (): Promise<Record<string, unknown>> => {
    const { info } = await suite.node.client.call('Status', { verbose: true });
    return Object.fromEntries(
      Object.entries(info).map(([key, value]) => [key, JSON.parse(value) as unknown]),
    );
  };

  it('says what the node can do: conditions, each handler with its features, the default without a name', async () => {
    const { node } = suite;
    const { status, runtimeHandlers, features, info } = await node.client.call('Status', {});
    assert.deepEqual(
      status!.conditions.map(({ type, status, reason }) => [type, status, reason]),
      [
        ['RuntimeReady', true, ''],
        ['NetworkReady', true, ''],
      ],
    );
    assert.deepEqual(info, {});
    const { census } = await verbose();
    const { handlers } = census as { handlers: { name: string; usable: boolean; isDefault: boolean }[] };
    const usable = handlers.filter((handler) => handler.usable).map(({ name }) => name);
    assert.deepEqual(runtimeHandlers.map(({ name }) => name).toSorted(), ['', ...usable].toSorted());
    const named = (name: string): object =>
      runtimeHandlers.find((handler) => handler.name === name)!.features as object;
    assert.deepEqual(named(''), named(handlers.find(({ isDefault }) => isDefault)!.name));
    assert.equal(features?.supplementalGroupsPolicy, true);
  });

  it('shows to a person the configuration, what is on its way since when, and records that cannot be read', async () => {
    const { node } = suite;
    const pod = podConfig(node, 'slow');
    const sandbox = await runSandbox(node, pod, 'faulty');
    node.faults.order('create', 'sleep 3');
    const creating = createContainer(sandbox, node, containerConfig('slow', ['true']), pod);
    const seen = await eventually('the create is on its way', 3000, async () => {
      const { inFlight } = (await verbose())['census'] as Census;
      return inFlight.find(({ stage, sinceMs }) => stage === 'create' && sinceMs > 100);
    });
    node.faults.clear();
    assert.equal(seen.operation, 'CreateContainer');
    assert.equal(seen.id, await creating);
    const { config, versions } = (await verbose()) as Record<string, Record<string, unknown>>;
    assert.equal(config!['root'], node.root);
    assert.match(String(versions!['kernel']), /^\d+\.\d+/);

    const database = new DatabaseSync(join(node.root, 'berth.db'));
    try {
      database.exec('PRAGMA busy_timeout = 2000');
      database.exec("INSERT INTO records VALUES ('containers', 'torn', '{\"id\": \"torn\"')");
      await node.restart();
      const { quarantined } = (await verbose())['census'] as Census;
      assert.deepEqual(
        quarantined.map(({ kind, id }) => [kind, id]),
        [['containers', 'torn']],
      );
    } finally {
      database.exec('DELETE FROM quarantine');
      database.close();
    }
    await node.restart();
  });
});
