import assert from 'node:assert/strict';
import { RpcError } from '../cri/client.ts';
import { assertNoLeaks, takeCensus } from './leaks.ts';
import type { TestNode } from './node.ts';

/** How a call is refused: the gRPC code by name, and what its text has to say. */
export interface Refusal {
  code: RpcError['code'];
  says: RegExp;
}

/** Asserts that a call is refused in that way, and that the node holds nothing afterwards that it had not before. */
export async function assertRefused(
  node: TestNode,
  refusal: Refusal,
  call: () => Promise<unknown>,
): Promise<void> {
  const before = await takeCensus(node);
  await assert.rejects(call(), (error) => {
    assert.ok(error instanceof RpcError, String(error));
    assert.equal(error.code, refusal.code, error.message);
    assert.match(error.details, refusal.says);
    return true;
  });
  await assertNoLeaks(node, before);
}
