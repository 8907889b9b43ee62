import assert from 'node:assert/strict';
import { EPOLLIN, epollEvent, eventLayout } from './epoll.ts';

describe('epoll', () => {
  it('lays its events out as the machine wants them', () => {
    // <linux/eventpoll.h>: packed on x86-64 alone; elsewhere the u64 is aligned.
    assert.deepEqual(eventLayout('x64'), { size: 12, data: 4 });
    assert.deepEqual(eventLayout('arm64'), { size: 16, data: 8 });
    const hex = (arch: string): string => epollEvent(EPOLLIN, 0x0403_0201, eventLayout(arch)).toString('hex');
    assert.equal(hex('x64'), '01000000' + '0102030400000000');
    assert.equal(hex('arm64'), '0100000000000000' + '0102030400000000');
  });
});
