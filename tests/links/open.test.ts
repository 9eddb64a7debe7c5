import { expect, test } from 'vitest';
import { virtualClock } from '../../src/clock.ts';
import { LinkError } from '../../src/links/link-error.ts';
import { ADDRESS_FORMS, openLink, parseAddress } from '../../src/links/open.ts';

test.each([
  ['tcp:192.168.1.20:10001', { kind: 'tcp', host: '192.168.1.20', port: 10001 }],
  ['tcp:laser.lab:80', { kind: 'tcp', host: 'laser.lab', port: 80 }],
  ['tcp:[fe80::1]:5025', { kind: 'tcp', host: 'fe80::1', port: 5025 }],
  ['udp:192.168.10.16:4660', { kind: 'udp', host: '192.168.10.16', port: 4660 }],
  ['gpib:adapter/12', { kind: 'gpib', link: 'adapter', address: '12' }],
  ['gpib:adapter/9:96', { kind: 'gpib', link: 'adapter', address: '9:96' }],
  ['gpib:source/serial', { kind: 'gpib', link: 'source', address: 'serial' }],
  ['folder:/data/my spectra', { kind: 'folder', path: '/data/my spectra', pattern: '*', existing: 'leave' }],
  ['folder:C:\\data?pattern=*.spe&existing=take', { kind: 'folder', path: 'C:\\data', pattern: '*.spe', existing: 'take' }],
  ['simulated', { kind: 'simulated' }],
  ['simulated?baud=9600', { kind: 'simulated', baud: 9600 }],
  [
    'serial:/dev/ttyUSB0',
    { kind: 'serial', path: '/dev/ttyUSB0', baud: 9600, dataBits: 8, parity: 'none', stopBits: 1, halfDuplex: false, lock: true },
  ],
  [
    'serial:/dev/ttyUSB0?baud=57600&parity=odd&bits=7&stop=2&duplex=half&lock=false',
    { kind: 'serial', path: '/dev/ttyUSB0', baud: 57600, dataBits: 7, parity: 'odd', stopBits: 2, halfDuplex: true, lock: false },
  ],
  [
    'serial:COM3?stop=1.5',
    { kind: 'serial', path: 'COM3', baud: 9600, dataBits: 8, parity: 'none', stopBits: 1.5, halfDuplex: false, lock: true },
  ],
])('%s', (text, address) => {
  expect(parseAddress(text)).toEqual(address);
});

test.each([
  ['tpc:1.2.3.4:5', /"tpc:1\.2\.3\.4:5" is no address: .*did you mean "tcp"\? An address looks like tcp:192\.168\.1\.20:10001/],
  ['/dev/ttyUSB0', /did you mean "serial"\?/],
  ['', /is no address/],
  ['tcp:host', /the port is missing; a right one is tcp:/],
  ['tcp:host:', /the port is missing/],
  ['tcp::80', /the host is missing/],
  ['tcp:host:0', /from 1 to 65535, not "0"/],
  ['tcp:host:65536', /from 1 to 65535/],
  ['tcp:host:8o', /from 1 to 65535, not "8o"/],
  ['tcp:host:-1', /from 1 to 65535/],
  ['tcp:fe80::1:5025', /IPv6 address stands in brackets/],
  ['udp:host:1?ttl=3', /udp has no setting "ttl"; it has none/],
  ['serial:', /the port is missing/],
  ['serial:/dev/x?baud=9601', /"9601" is no baud rate; did you mean 9600\?/],
  ['serial:/dev/x?baud=fast', /"fast" is no baud rate/],
  ['serial:/dev/x?baud=9600.5', /no baud rate/],
  ['serial:/dev/x?boud=9600', /no setting "boud"; it has baud, bits, parity, stop, duplex, lock; did you mean "baud"\?/],
  ['serial:/dev/x?parity=od', /parity must be one of none, even, odd, mark, space, not "od"; did you mean "odd"\?/],
  ['serial:/dev/x?bits=9', /bits must be one of 5, 6, 7, 8, not "9"/],
  ['serial:/dev/x?baud', /"baud" has no value/],
  ['serial:/dev/x?baud=9600&baud=9600', /"baud" is given twice/],
  ['serial:/dev/x?constructor=1', /no setting "constructor"/],
  ['gpib:adapter', /NAME\/ADDRESS/],
  ['gpib:adapter/31', /0 to 30, not 31/],
  ['gpib:adapter/3:95', /96 to 126, not 95/],
  ['folder:', /the folder is missing/],
  ['folder:/x?pattern=', /pattern must not be empty/],
  ['folder:/x?existing=leaf', /existing must be one of take, leave, not "leaf"; did you mean "leave"\?/],
  ['simulated:x', /nothing stands behind "simulated"/],
])('%s is refused with a sentence', (text, message) => {
  expect(parseAddress(text)).toMatch(message);
});

test('the forms that messages show are right ones', () => {
  for (const form of ADDRESS_FORMS) expect(parseAddress(form)).toBeTypeOf('object');
});

test('what the context lacks is an error with a code', () => {
  const clock = virtualClock();
  expect(() => openLink({ kind: 'gpib', link: 'a', address: '1' }, clock)).toThrow(LinkError);
  expect(() => openLink({ kind: 'simulated' }, clock)).toThrow(LinkError);
});
