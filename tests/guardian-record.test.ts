/** The record of armed outputs: what must be on the disk before an output may be on, how it is signed off, and what the next start reads. */
import { describe, expect, test } from 'vitest';
import { virtualClock } from '../src/clock.ts';
import type { Unsettled } from '../src/guardian/armed.ts';
import { armedRecord, before } from '../src/guardian/record.ts';
import { bench } from './guardian-bench.ts';
import { prepared } from './prepared.ts';

const BOOT = '11111111-2222';
const LASER = 'laser.emission';

/** A record on a disk that answers when it is told to. */
function disk(unsettled: readonly Unsettled[] = []) {
  const clock = virtualClock();
  const writes: { readonly text: string; readonly done: (why?: string) => void }[] = [];
  let text: string | undefined;
  const record = armedRecord({
    rig: 'cell7',
    session: '/s/1',
    pid: 77,
    boot: BOOT,
    unsettled,
    clock,
    write: (now, done) => writes.push({ text: now, done }),
  });
  return {
    clock,
    record,
    /** The write that is under way is on the disk, or fails. */
    answer(why?: string): void {
      const write = writes.shift();
      if (!write) throw new Error('nothing is being written');
      if (why === undefined) text = write.text;
      write.done(why);
    },
    get waiting() {
      return writes.length;
    },
    /** What the next start reads. */
    next: (boot = BOOT) => (text === undefined ? { words: [], unsettled: [] } : before(text, boot)),
    get text() {
      return text;
    },
  };
}

describe('arming', () => {
  test('is answered when it is on the disk, once more at once, and with the reason when it is not', () => {
    const d = disk();
    const said: (string | undefined)[] = [];
    d.record.arm(LASER, (why) => said.push(why));
    expect([said, d.waiting]).toEqual([[], 1]);
    d.answer();
    expect(said).toEqual([undefined]);
    expect(JSON.parse(d.text ?? '')).toMatchObject({
      rig: 'cell7',
      session: '/s/1',
      pid: 77,
      boot: BOOT,
      outputs: { [LASER]: { is: 'on', value: 'unknown', since: '2026-01-01T00:00:00.000Z' } },
    });
    d.record.arm(LASER, (why) => said.push(why));
    expect([said, d.waiting]).toEqual([[undefined, undefined], 0]);
    d.record.arm('gas.control', (why) => said.push(why));
    d.answer('ENOSPC');
    expect(said.at(-1)).toBe('ENOSPC');
    // What failed is tried again with the next one.
    d.record.arm('gas.control', (why) => said.push(why));
    d.answer();
    expect(said.at(-1)).toBe(undefined);
  });

  test('several at once: one write at a time, and each is answered by the first one that has it', () => {
    const d = disk();
    const said: string[] = [];
    for (const name of ['a.x', 'b.x', 'c.x']) d.record.arm(name, (why) => said.push(`${name} ${why}`));
    expect(d.waiting).toBe(1);
    d.answer();
    expect(said).toEqual(['a.x undefined']);
    d.answer();
    expect(said).toEqual(['a.x undefined', 'b.x undefined', 'c.x undefined']);
    expect(d.waiting).toBe(0);
  });

  test('a release may wait a second; switched on again meanwhile, the disk must say so again', () => {
    const d = disk();
    d.record.arm(LASER, () => {});
    d.answer();
    d.record.safe(LASER, 'host');
    expect(d.waiting).toBe(0);
    d.clock.advance(1);
    expect(d.waiting).toBe(1);
    const said: (string | undefined)[] = [];
    d.record.arm(LASER, (why) => said.push(why));
    d.answer();
    expect(said).toEqual([]);
    expect(d.next().unsettled.map((u) => u.name)).toEqual(['record']);
    d.answer();
    expect(said).toEqual([undefined]);
    expect(d.next().unsettled.map((u) => u.name)).toEqual([LASER]);
  });

  test('what a disk did not take is written when there is somebody again who can', () => {
    const d = disk();
    d.record.arm(LASER, () => {});
    d.answer('the recorder has ended');
    d.record.again();
    d.answer();
    expect(d.next().unsettled.length).toBe(1);
    d.record.again();
    expect(d.waiting).toBe(0);
  });
});

describe('the end, and the next start', () => {
  test('nothing was ever on: no record', () => {
    const d = disk();
    let signed = false;
    d.record.safe(LASER, 'host');
    d.record.sign([], () => {
      signed = true;
    });
    expect([signed, d.waiting]).toEqual([true, 0]);
  });

  test('signed off: each output with how it was left and by whom; only what did not answer is unsettled', () => {
    const d = disk();
    for (const name of ['a.x', 'b.x', 'c.x', 'd.x', 'e.x']) d.record.arm(name, () => {});
    d.answer();
    d.answer();
    d.record.safe('a.x', 'host');
    d.record.safe('b.x', 'guardian');
    d.record.unanswered('c.x', 'link down');
    d.record.sign(['d.x'], () => {});
    d.answer();
    expect(d.next().words[0]).toMatch(
      /^the last run \(\/s\/1\) was signed off by the guardian at \S+: a\.x safe, read back by the host; b\.x safe, read back by the guardian; c\.x NO ANSWER \(link down\); d\.x kept as the rig says; e\.x NO ANSWER \(not read back\)$/,
    );
    expect(d.next().unsettled).toEqual([
      { name: 'c.x', why: 'was not read back as safe when the run /s/1 ended (link down)' },
      { name: 'e.x', why: 'was not read back as safe when the run /s/1 ended (not read back)' },
    ]);
  });

  test('all well: words, and nothing to acknowledge', () => {
    const d = disk();
    d.record.arm(LASER, () => {});
    d.answer();
    d.record.safe(LASER, 'host');
    d.record.sign([], () => {});
    d.answer();
    expect(d.next().unsettled).toEqual([]);
    expect(d.next().words.length).toBe(1);
  });

  test('not signed off: what was on, and whether the machine was started anew', () => {
    const d = disk();
    d.record.arm(LASER, () => {});
    d.answer();
    expect(d.next().unsettled).toEqual([
      {
        name: LASER,
        why: 'was on since 2026-01-01T00:00:00.000Z when the run /s/1 ended without signing off (all its processes ended at once)',
      },
    ]);
    expect(d.next('another').unsettled[0]?.why).toContain('(the machine has been started anew since)');
    expect(d.next().words[0]).toContain('was NOT signed off: laser.emission on since');
  });

  test('refused before it was on: the record forgets it', () => {
    const d = disk();
    d.record.arm(LASER, () => {});
    d.answer();
    d.record.drop(LASER);
    d.clock.advance(1);
    d.answer();
    expect(d.next()).toEqual({ words: [], unsettled: [] });
  });

  test('what earlier runs have left stays until a person has acknowledged it', () => {
    const left = [{ name: LASER, why: 'was on' }];
    const d = disk(left);
    d.record.arm('gas.control', () => {});
    d.answer();
    d.record.safe('gas.control', 'host');
    d.record.sign([], () => {});
    d.answer();
    expect(d.next().unsettled).toEqual(left);
    const e = disk(d.next().unsettled);
    e.record.acknowledge();
    e.clock.advance(1);
    e.answer();
    expect(e.next()).toEqual({ words: [], unsettled: [] });
  });

  test('a damaged record counts as not signed off, and says so', () => {
    const d = disk();
    d.record.arm(LASER, () => {});
    d.record.sign([], () => {});
    d.answer();
    d.answer();
    const whole = d.text ?? '';
    const wrong = (text: string): void => {
      const { unsettled, words } = before(text, BOOT);
      expect(
        unsettled.map((u) => u.name),
        text,
      ).toEqual(['record']);
      expect(words[0]).toContain('damaged');
    };
    for (let cut = 0; cut < whole.trimEnd().length; cut++) wrong(whole.slice(0, cut));
    for (const text of [
      '',
      '\0\0\0\0',
      'null',
      '[]',
      '{}',
      '{"version":2}',
      '{"version":1}',
      whole.replace('"on"', '"off"').replace('"no answer"', '"well"'),
    ])
      wrong(text);
    for (const key of ['session', 'boot', 'outputs', 'unsettled']) wrong(JSON.stringify({ ...JSON.parse(whole), [key]: 1 }));
  });
});

describe('with the guardian', () => {
  const held = () => {
    const asked: { readonly name: string; readonly done: (why?: string) => void }[] = [];
    const notes: string[] = [];
    const b = bench({
      arm: (name, done) => asked.push({ name, done }),
      drop: (name) => notes.push(`drop ${name}`),
      safe: (name, by) => notes.push(`safe ${name} ${by}`),
      unanswered: (name, why) => notes.push(`unanswered ${name} ${why}`),
    });
    return { ...b, asked, notes };
  };

  test('an arming is confirmed when the record has it, and not before', () => {
    const b = held();
    b.arm(LASER);
    b.clock.advance(0.3);
    expect(b.sent.filter((m) => m.is === 'armed')).toEqual([]);
    b.asked[0]?.done();
    expect(b.sent.at(-1)).toEqual({ is: 'armed', name: LASER });
    expect(b.watch.active).toEqual([LASER]);
  });

  test('refused with the reason where the disk fails, or does not answer for half a second', () => {
    const b = held();
    b.arm(LASER);
    b.asked[0]?.done('ENOSPC');
    expect(b.sent.at(-1)).toEqual({
      is: 'armed',
      name: LASER,
      why: 'the record of armed outputs cannot be written (ENOSPC): nothing hazardous without it',
    });
    b.arm(LASER);
    b.clock.advance(0.51);
    expect(b.sent.filter((m) => m.is === 'armed').at(-1)).toEqual({
      is: 'armed',
      name: LASER,
      why: 'the record of armed outputs cannot be written (the disk has not answered for 0.5 s): nothing hazardous without it',
    });
    const n = b.sent.filter((m) => m.is === 'armed').length;
    b.asked[1]?.done(); // late
    expect(b.sent.filter((m) => m.is === 'armed').length).toBe(n);
    expect(b.watch.active).toEqual([]);
    expect(b.notes).toEqual([`drop ${LASER}`, `drop ${LASER}`, `drop ${LASER}`]);
  });

  test('a stop, and a release, while the disk is asked: it is not armed afterwards', () => {
    const b = held();
    b.arm(LASER);
    b.watch.stop('stop', () => {});
    b.asked[0]?.done();
    expect(b.sent.at(-1)).toEqual({ is: 'armed', name: LASER, why: 'a stop is being carried out' });
    b.watch.heard({ is: 'stopped', unsafe: [] });
    b.arm(LASER);
    b.watch.heard({ is: 'release', name: LASER });
    b.asked[1]?.done();
    expect(b.watch.active).toEqual([]);
    expect(b.notes.filter((n) => n.startsWith('drop')).length).toBe(2);
  });

  test('simulators inside of the host need no record', () => {
    const b = held();
    b.arm(LASER, { outside: false });
    expect([b.watch.active, b.asked]).toEqual([[LASER], []]);
  });

  test('who made it safe, and what did not answer, goes into it', () => {
    const b = held();
    for (const name of ['a.x', 'b.x', 'c.x']) {
      b.watch.heard({ is: 'prepare', prepared: prepared(name) });
      b.watch.heard({ is: 'arm', name });
      b.asked.at(-1)?.done();
    }
    b.watch.heard({ is: 'release', name: 'a.x' });
    b.watch.hostGone(() => {});
    b.acts[0]?.safe('b.x');
    b.clock.advance(10.1);
    expect(b.notes).toEqual(['safe a.x host', 'safe b.x guardian', 'unanswered c.x no answer']);
  });
});
