import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { sleep } from '../ground/wait.ts';
import { Reservations } from './reservations.ts';

describe('Reservations', () => {
  const nobody = (): undefined => undefined;
  const never = (): never => assert.fail('must not run');

  it('lets a second call with the same name join the running one', async () => {
    const names = new Reservations();
    const work = Promise.withResolvers<string>();
    let runs = 0;
    const begin = (): Promise<string> => {
      runs++;
      return work.promise;
    };
    const calls = [names.create('n', nobody, begin, never), names.create('n', nobody, never, never)];
    work.resolve('id-1');
    assert.deepEqual(await Promise.all(calls), ['id-1', 'id-1']);
    assert.equal(runs, 1);
  });

  it('goes on when the caller leaves, and the next call gets the same id', async () => {
    const names = new Reservations();
    const work = Promise.withResolvers<string>();
    const abandoned: string[] = [];
    const abort = new AbortController();
    const first = names.create(
      'n',
      nobody,
      () => work.promise,
      (id) => abandoned.push(id),
      abort.signal,
    );
    abort.abort(new Error('deadline'));
    await assert.rejects(first, /deadline/);
    const second = names.create('n', nobody, never, never);
    work.resolve('id-1');
    assert.equal(await second, 'id-1');
    assert.deepEqual(abandoned, [], 'the second caller has the id');
  });

  it('says which id nobody waited for', async () => {
    const names = new Reservations();
    const work = Promise.withResolvers<string>();
    const abandoned: string[] = [];
    const abort = new AbortController();
    const only = names.create(
      'n',
      nobody,
      () => work.promise,
      (id) => abandoned.push(id),
      abort.signal,
    );
    abort.abort(new Error('deadline'));
    await assert.rejects(only);
    work.resolve('id-1');
    await sleep(1);
    assert.deepEqual(abandoned, ['id-1']);
    assert.equal(await names.create('n', () => ({ id: 'id-1', adoptable: true }), never, never), 'id-1');
  });

  it('refuses a name whose id somebody has', async () => {
    const names = new Reservations();
    await assert.rejects(
      names.create('n', () => ({ id: 'id-1', adoptable: false }), never, never),
      /Fault: The name n is taken by id-1/,
    );
  });

  it('frees the name when the work fails', async () => {
    const names = new Reservations();
    await assert.rejects(
      names.create('n', nobody, () => Promise.reject(new Error('no')), never),
      /no/,
    );
    assert.equal(await names.create('n', nobody, () => Promise.resolve('id-2'), never), 'id-2');
  });
});
