import fc from 'fast-check';
import { expect, test } from 'vitest';
import { channelList, channelsOf, isChannel } from '../../protocols/channel-list.ts';

test.each([
  ['(@1,4)', ['1', '4']],
  ['(@ 4 , 1, 4)', ['1', '4']],
  ['(@1:3,10)', ['1', '2', '3', '10']],
  ['(@1!1:1!3,2!10,2!9)', ['1!1', '1!2', '1!3', '2!9', '2!10']],
  ['(@1!2!3)', ['1!2!3']],
  ['(@01)', ['1']],
  ['(@)', []],
  ['', []],
])('%s', (text, channels) => expect(channelsOf(text)).toEqual(channels));

test.each(['(@a)', '(@1', '1)', '(@3:1)', '(@1!1:2!3)', '(@1:2:3)', '((@1))', '(@1:999)', '0.5', '(@-1)'])('%s is no list', (text) => {
  // A bracket alone is let pass: some instruments leave one out.
  if (text === '(@1' || text === '1)') expect(channelsOf(text)).toEqual(['1']);
  else expect(channelsOf(text)).toBeUndefined();
});

test('what is written is read', () => {
  const channel = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 40 })).map(([a, b]) => `${a}!${b}`);
  fc.assert(
    fc.property(fc.uniqueArray(channel, { maxLength: 20 }), (all) => {
      expect(all.every(isChannel)).toBe(true);
      expect([...(channelsOf(channelList(all)) ?? [])].sort()).toEqual([...all].sort());
    }),
  );
});
