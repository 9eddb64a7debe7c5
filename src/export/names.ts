/** Names of channels as names of files and of groups, each of them once. */

/** Gives a file's name for a channel: what no file system minds, and never the same for two channels, also where case is not told apart. */
export function fileNames(ending: string): (name: string) => string {
  return unique(
    (name) => name.replaceAll(/[^A-Za-z0-9._\-[\]() ]/g, (c) => encodeURIComponent(c).replaceAll('%', '_')).slice(0, 120) || '_',
    (n) => n.toLowerCase(),
    ending,
  );
}

/** Gives a group's name as NeXus allows them: letters, digits and underscores, a letter first. */
export function groupNames(): (name: string) => string {
  return unique(
    (name) =>
      name
        .replaceAll(/\[(\d+)\]/g, '_$1')
        .replaceAll(/[^A-Za-z0-9_]/g, '_')
        .replace(/^(?=[^A-Za-z])/, 'x')
        .slice(0, 60),
    (n) => n,
    '',
  );
}

function unique(clean: (name: string) => string, same: (name: string) => string, ending: string): (name: string) => string {
  const taken = new Set<string>();
  return (name) => {
    const first = clean(name);
    let given = first;
    for (let n = 2; taken.has(same(given)); n++) given = `${first}_${n}`;
    taken.add(same(given));
    return given + ending;
  };
}
