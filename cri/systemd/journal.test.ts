import assert from 'node:assert/strict';
import { fstatSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { Datagrams, journalSocket } from '../../test/datagrams.ts';
import { journalEntry } from './journal-entry.ts';
import { isJournalStream, JournalLog } from './journal.ts';

/** Reads an entry back, as journald does. */
function fieldsOf(entry: Buffer): [string, string][] {
  const fields: [string, string][] = [];
  for (let at = 0; at < entry.length;) {
    const end = entry.indexOf('\n', at);
    const line = entry.subarray(at, end);
    const equals = line.indexOf('=');
    if (equals >= 0) {
      fields.push([line.subarray(0, equals).toString(), line.subarray(equals + 1).toString()]);
      at = end + 1;
      continue;
    }
    const size = Number(entry.readBigUInt64LE(end + 1));
    fields.push([line.toString(), entry.subarray(end + 9, end + 9 + size).toString()]);
    assert.equal(entry[end + 9 + size], 10);
    at = end + 9 + size + 1;
  }
  return fields;
}

describe('the log in the journal', () => {
  let directory: string;
  let journal: Datagrams;
  let log: JournalLog;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'berth-journal-'));
    journal = new Datagrams(join(directory, 'socket'));
    log = new JournalLog(journalSocket(join(directory, 'socket')), 'info');
  });
  afterEach(() => {
    journal[Symbol.dispose]();
    rmSync(directory, { recursive: true });
  });
  const entries = (): Record<string, string>[] =>
    journal.received.map((entry) => Object.fromEntries(fieldsOf(entry)));

  it('has a message for people and each field by itself', async () => {
    log.error({ sandbox: 'p1', container: 'c1', stage: 'network', ms: 3, list: ['a'] }, 'It failed');
    log.warn({ stack: 'a\nb', needRestart: [], gone: undefined }, 'Two\nlines');
    log.info({}, 'All is well');
    log.debug({}, 'Nobody asked');
    await journal.until((texts) => texts.length === 3);
    assert.deepEqual(entries(), [
      {
        MESSAGE: 'It failed  sandbox=p1  container=c1  stage=network  ms=3  list=["a"]',
        PRIORITY: '3',
        SYSLOG_IDENTIFIER: 'berth',
        BERTH_POD: 'p1',
        BERTH_CONTAINER: 'c1',
        BERTH_STAGE: 'network',
        BERTH_MS: '3',
        BERTH_LIST: '["a"]',
      },
      {
        MESSAGE: 'Two\nlines  needRestart=[]',
        PRIORITY: '4',
        SYSLOG_IDENTIFIER: 'berth',
        BERTH_STACK: 'a\nb',
        BERTH_NEED_RESTART: '[]',
      },
      { MESSAGE: 'All is well', PRIORITY: '6', SYSLOG_IDENTIFIER: 'berth' },
    ]);
    log.level = 'debug';
    log.debug({}, 'Somebody asked');
    await journal.until((texts) => texts.length === 4);
    assert.equal(entries()[3]!['PRIORITY'], '7');
  });

  it('cannot be forged by what stands in a value or a name', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string()), fc.string(), (values, message) => {
        const fields = fieldsOf(journalEntry('info', values, message));
        const own = Object.values(values);
        assert.deepEqual(
          fields.slice(3).map(([, value]) => value),
          own.map((value) => Buffer.from(value).toString()),
        );
        for (const [name] of fields.slice(3)) assert.match(name, /^BERTH_[A-Z0-9_]{0,58}$/);
        assert.deepEqual(fields.slice(1, 3), [
          ['PRIORITY', '6'],
          ['SYSLOG_IDENTIFIER', 'berth'],
        ]);
      }),
    );
  });

  it('takes what no datagram holds as a sealed file', async () => {
    const large = 'x'.repeat(3_000_000);
    log.error({ details: large }, 'Large');
    await journal.until((texts) => texts.length === 1);
    assert.equal(journal.passed, 1);
    assert.equal(entries()[0]!['BERTH_DETAILS'], large);
  });

  it('keeps what a busy journal does not take, and says how much did not fit', async () => {
    journal.pause();
    for (let line = 0; line < 3000; line++) log.info({ line }, 'Much');
    journal.resume();
    await journal.until((texts) => texts.some((text) => text.includes('Lines of the log were lost')));
    const lost = Number(entries().at(-1)!['BERTH_LOST']);
    const lines = entries().slice(0, -1);
    assert.equal(lines.length + lost, 3000);
    assert.ok(lost > 0);
    lines.forEach((entry, index) => assert.equal(entry['BERTH_LINE'], String(index)));
  });

  it('survives a journal that is away', async () => {
    journal[Symbol.dispose]();
    rmSync(join(directory, 'socket'));
    log.info({}, 'Said while it was away');
    journal = new Datagrams(join(directory, 'socket'));
    await journal.until((texts) => texts.length === 1);
    rmSync(join(directory, 'socket'));
    journal[Symbol.dispose]();
    log.info({}, 'The last word');
    log.flush();
    journal = new Datagrams(join(directory, 'socket'));
    log.flush();
    journal.drain();
    assert.equal(entries()[0]!['MESSAGE'], 'The last word');
  });

  it('is taken where standard output is the stream that systemd named', () => {
    const { dev, ino } = fstatSync(1, { bigint: true });
    assert.equal(isJournalStream(`${dev}:${ino}`, 1), true);
    assert.equal(isJournalStream(`${dev}:${ino + 1n}`, 1), false);
    assert.equal(isJournalStream(undefined, 1), false);
  });
});
