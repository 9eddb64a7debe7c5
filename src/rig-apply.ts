/** What a rig changes of a model: pace, time-out, poll intervals and limits. */
import type { Body, Instrument, Links } from './instrument.ts';
import type { RigInstrument } from './rig.ts';

/** The model as this rig has it. A poll of several channels runs as often as the fastest of them is wanted. */
export function placedModel(model: Instrument, placed: Pick<RigInstrument, 'pace' | 'within' | 'every' | 'limits'>): Instrument {
  return {
    ...model,
    pace: placed.pace ?? model.pace,
    within: placed.within ?? model.within,
    body: (p: unknown, id: unknown) => adjusted(model.body(p, id) as Body<Links>, placed), // declared for this model's links
  };
}

function adjusted(body: Body<Links>, { every, limits }: Pick<RigInstrument, 'every' | 'limits'>): Body<Links> {
  const polls = body.polls?.map((poll) => {
    const wanted = Object.keys(poll.gives).flatMap((channel) => every[channel] ?? []);
    return wanted.length === 0 ? poll : { ...poll, every: Math.min(...wanted) };
  });
  const commands = Object.entries(body.commands ?? {}).map(([name, command]) => {
    const narrow = limits[name];
    return [name, narrow ? { ...command, limits: narrow } : command] as const;
  });
  return { ...body, ...(polls ? { polls } : {}), ...(body.commands ? { commands: Object.fromEntries(commands) } : {}) };
}
