/** The host as a process of its own: started by the guardian, ends when told, makes safe when the guardian is gone. */
import { connect } from 'node:net';
import { catalogue } from './catalogue.ts';
import { type Clock, realClock } from './clock.ts';
import type { HostInit, Reply, Request, ToGuardian, ToHost } from './guardian/armed.ts';
import { guardianKeeper } from './guardian-keeper.ts';
import { type Host, host } from './host.ts';
import { nodesOf } from './methods.ts';
import { outflow } from './pipe.ts';
import { feedPorts } from './readout/feeds.ts';
import { streamsEnded } from './readout/stream-link.ts';
import { rawSeries } from './recorder/session-json.ts';
import { withUserDrivers } from './rig-drivers.ts';
import { addressOf, openWire, simulatedRig, wantedBoards } from './rig-open.ts';
import { type Wire, wires } from './rig-wires.ts';

const END = 3; // seconds for outputs to be read back as safe at the end
const RECORDER = 3; // seconds for another recorder to be there, where there is none at the end
const STREAMS = 3; // seconds for readout processes to end their parts of the session
const ALONE = 60; // the same, when there is no guardian that would go on

const send = (message: ToGuardian): void => {
  // A guardian that has just died is told of by 'disconnect'. Without a callback a broken pipe would be an error that ends this process.
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
};

async function start(init: HostInit): Promise<void> {
  const clock = realClock();
  // What the guardian says before everything is there is not lost, and neither is its end.
  const early: ToHost[] = [];
  let hear = (message: ToHost): void => void early.push(message);
  let guardianGone = (): void => process.exit(0);
  process.on('message', (message: ToHost) => hear(message));
  process.on('disconnect', () => guardianGone());
  const { catalogue: known } = await withUserDrivers(await catalogue(), init.rig.folder);
  if (early.some((message) => message.is === 'end')) {
    send({ is: 'ended', unsafe: [] });
    setImmediate(() => process.exit(0));
    return;
  }
  const flow = outflow(clock, () => running?.stop('the recorder cannot keep up'));
  const connectRecorder = (): void => {
    const socket = connect(init.recorder);
    socket.once('connect', () => flow.attach(socket));
    socket.once('error', () => socket.destroy());
    socket.once('close', () => {
      flow.attach(undefined);
      if (!ended) clock.after(0.2, connectRecorder);
    });
  };
  let ended = false;
  let running: Host | undefined;
  connectRecorder();

  const { wires: all } = wires(init.rig, known);
  const feeds = feedPorts(wantedBoards(all));
  const isSimulated = (address: string): boolean => init.simulate || addressOf(address).kind === 'simulated';
  // What is built of the hits of boards is simulated where the boards are.
  const simulates = (wire: Wire): boolean => {
    const at = addressOf(wire.address);
    const readers =
      at.kind === 'hits'
        ? all.filter((w) => w.address !== wire.address && w.users.some((u) => at.boards.includes(u.instrument.name)))
        : [wire];
    return readers.every((one) => isSimulated(one.address));
  };
  const keeper = guardianKeeper({ clock, rig: init.rig, isSimulated, lab: () => running, send, connected: () => process.connected });
  const some = init.rig.instruments.some((i) => Object.values(i.links).some(({ address }) => isSimulated(address)));
  const simulated = some ? simulatedRig(init.rig, known, clock, init.seed) : undefined;
  running = host({
    rig: init.rig,
    catalogue: known,
    nodes: nodesOf(init.rig),
    clock,
    open(wire, told, keep) {
      const link = simulates(wire)
        ? simulated?.open(wire, keep)
        : openWire(wire, clock, {
            base: init.rig.folder,
            told,
            session: { folder: init.session, rawOrder: rawSeries(init.rig) },
            all,
            feeds,
          });
      if (!link) throw new Error(`${wire.key}: an instrument on it has no simulator`);
      return link;
    },
    emit: (entry) => flow.push(entry),
    keeper: keeper.keeper,
    origin: init.simulate ? 'simulator' : 'hardware',
    outflow: () => ({ queued: flow.queued, dropped: flow.dropped }),
    memory: () => process.memoryUsage.rss(),
    truth: simulated ? () => simulated.universe.truth() : undefined,
    unsettled: init.unsettled,
    restored: init.restored,
    settled: () => send({ is: 'acknowledged', name: 'record' }),
  });
  const lab = running;

  let closing = false;
  const end = (within: number, why?: string): void => {
    if (closing) return;
    closing = true;
    lab.close(
      within,
      (unsafe) => {
        flow.end(RECORDER, () => {
          ended = true;
          send({ is: 'ended', unsafe });
          // Ports and timers of libraries must not keep a laboratory alive that has ended.
          void streamsEnded(clock, STREAMS).then(() => setImmediate(() => process.exit(0)));
        });
      },
      why,
    );
  };
  hear = (message) => {
    keeper.heard(message);
    if (message.is === 'stop') {
      lab.stop(message.why);
      stopped(lab, clock);
    } else if (message.is === 'alarm') lab.tell(message.name, message.severity, message.text);
    else if (message.is === 'forbid') lab.forbid(message.why);
    else if (message.is === 'end') end(END);
    else if (message.is === 'ask') answer(lab, message.request, (reply) => send({ is: 'reply', id: message.id, reply }));
  };
  guardianGone = () => end(ALONE, 'the guardian is gone');
  for (const message of early) hear(message);
  send({ is: 'up' });
}

/** Tells the guardian once every lease has been read back as safe. */
function stopped(lab: Host, clock: Clock): void {
  const active = lab.status().leases.filter((l) => l.active);
  if (active.length === 0) send({ is: 'stopped', unsafe: [] });
  else clock.after(0.01, () => stopped(lab, clock));
}

function answer(lab: Host, request: Request, done: (reply: Reply) => void): void {
  switch (request.do) {
    case 'order':
      lab.order(request.order, (order) => done({ ok: true, order }));
      return;
    case 'note':
      lab.note(request.by, request.text);
      done({ ok: true });
      return;
    case 'mark': {
      const run = lab.mark(request.by, request.what);
      done(typeof run === 'number' ? { ok: true, run } : { ok: false, why: run });
      return;
    }
    case 'acknowledge': {
      const why = lab.acknowledge(request.by, request.name, request.all);
      done(why === undefined ? { ok: true } : { ok: false, why });
      return;
    }
    case 'shelve': {
      const why = lab.shelve(request.by, request.name, request.seconds, request.why);
      done(why === undefined ? { ok: true } : { ok: false, why });
      return;
    }
    case 'ramp': {
      const why = lab.ramp(request.by, request.output, request.what);
      done(why === undefined ? { ok: true } : { ok: false, why });
      return;
    }
    case 'hold':
      lab.hold(request.by, request.loop, request.what, (ended) =>
        done(typeof ended === 'string' ? { ok: false, why: ended } : { ok: true, ...(ended ? { order: ended } : {}) }),
      );
      return;
    case 'calibrate': {
      const why = lab.learn(request);
      done(why === undefined ? { ok: true } : { ok: false, why });
      return;
    }
    case 'status':
      done({ ok: true, status: lab.status() });
      return;
    default:
      done({ ok: false, why: 'not understood; known are order, note, mark, acknowledge, shelve, ramp, hold, calibrate, status, stop' });
  }
}

process.stderr.on('error', () => {}); // the guardian reads it, and may be gone
// The terminal's Ctrl-C reaches every process of the group; the guardian decides what it means.
process.on('SIGINT', () => {});
process.on('SIGHUP', () => {});
process.on('SIGTERM', () => {});
process.once('message', (message: ToHost) => {
  if (message.is !== 'init') return;
  start(message.init).catch((error: unknown) => {
    send({ is: 'failed', why: error instanceof Error ? error.message : String(error) });
    setImmediate(() => process.exit(1));
  });
});
process.on('uncaughtException', (error) => {
  send({ is: 'failed', why: `a fault of the program: ${error.message}` });
  process.stderr.write(`${error.stack}\n`);
  setImmediate(() => process.exit(1));
});
