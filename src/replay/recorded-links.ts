/** The folder links of a rig under the names that they have in its session. */
import { relative } from 'node:path';
import { sessionLinks } from '../recorder/session-links.ts';
import type { Rig } from '../rig.ts';
import type { RigLink } from '../rig-links.ts';

const FOLDER = /^folder:([^?]*)(\?.*)?$/s;

/**
 * A link's name has the whole path of its folder, and the rig of a session is read at another place than it was at: a path in the rig's
 * folder is found by its end among the links of the session. Where there is not one that ends so, it keeps its name.
 */
export async function withRecordedFolders(rig: Rig, session: string): Promise<Rig> {
  const recorded = (await sessionLinks(session)).map(({ link }) => link).filter((link) => FOLDER.test(link));
  const named = (link: RigLink): RigLink => {
    const [, path, query = ''] = FOLDER.exec(link.wire) ?? [];
    if (path === undefined || recorded.includes(link.wire)) return link;
    const end = `/${relative(rig.folder, path).replace(/^(\.\.\/)+/, '')}${query}`;
    const [found, ...others] = recorded.filter((one) => one.endsWith(end));
    return found === undefined || others.length > 0 ? link : { ...link, wire: found };
  };
  const all = (links: Readonly<Record<string, RigLink>>): Readonly<Record<string, RigLink>> =>
    Object.fromEntries(Object.entries(links).map(([name, one]) => [name, named(one)]));
  return { ...rig, links: all(rig.links), instruments: rig.instruments.map((i) => ({ ...i, links: all(i.links) })) };
}
