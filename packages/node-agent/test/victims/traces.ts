import { proc } from '@appshot/runtime';

/** What the kernel shows of the processes of an instance, by their pids inside: text that does not change while they only wait. */
export type Traces = ReadonlyMap<string, string>;

/** What differs between an instance and itself: clocks, use of memory, what the kernel counts. */
const settledLines = /^(Name|Umask|NSpid|NSpgid|NSsid|NStgid|TracerPid|Uid|Gid|Groups|Threads|SigQ|SigPnd|ShdPnd|SigBlk|SigIgn|SigCgt|CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp|Seccomp_filters|THP_enabled|CoreDumping):/;

/** @param processes as `shot ps` gives them. @returns what can be seen of them from outside. */
export function readTraces(processes: readonly { vpid: number; pid: number }[]): Traces {
  const traces = new Map<string, string>();
  for (const { vpid, pid } of processes) {
    const put = (what: string, text: string): Map<string, string> => traces.set(`${vpid} ${what}`, text);
    // A first thread that has ended has none of this.
    for (const file of ['limits', 'cmdline', 'environ', 'auxv', 'personality', 'oom_score_adj', 'coredump_filter', 'timerslack_ns']) put(file, proc.text(pid, file, 'latin1'));
    for (const link of ['exe', 'cwd', 'root']) put(link, withoutPlace(proc.link(pid, link)));
    put('maps', mapsOf(proc.text(pid, 'maps')));
    for (const tid of proc.entries(pid, 'task')) {
      const status = proc.text(pid, `task/${tid}/status`);
      const lines = status.split('\n').filter((line) => settledLines.test(line)).map(innermost);
      put(`thread ${lines.find((line) => line.startsWith('NSpid:')) ?? tid}`, lines.join('\n'));
    }
    for (const fd of proc.entries(pid, 'fd')) put(`fd ${fd}`, withoutPlace(proc.link(pid, `fd/${fd}`)));
  }
  return traces;
}

/** Whether some thread runs, or would if it were given a CPU. */
export const anyRuns = (processes: readonly { pid: number }[]): boolean =>
  processes.some(({ pid }) => proc.entries(pid, 'task').some((tid) => /^State:\s+R/m.test(proc.text(pid, `task/${tid}/status`))));

/**
 * @param options `heap: false` leaves the heap out: what personalises a clone may ask for memory.
 * @returns the first differences, empty when there are none.
 */
export function differences(before: Traces, after: Traces, { heap = true } = {}): string {
  const found: string[] = [];
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const [was, is] = [before.get(name), after.get(name)].map((text) => heap ? text : withoutHeap(text));
    if (was !== is) found.push(`${name}: ${firstDifference(was, is)}`);
  }
  return found.slice(0, 5).join('; ');
}

const withoutHeap = (text: string | undefined): string | undefined => text?.split('\n').filter((line) => !line.endsWith(' [heap]')).join('\n');

function firstDifference(was: string | undefined, is: string | undefined): string {
  if (was === undefined || is === undefined) return was === undefined ? `appeared: ${is}` : `is gone: ${was}`;
  const [left, right] = [was.split('\n'), is.split('\n')];
  const at = left.findIndex((line, index) => line !== right[index]);
  return `was "${left[at] ?? ''}", is "${right[at < 0 ? left.length : at] ?? ''}"`;
}

/** Ids of the node differ; those inside stand last. */
const innermost = (line: string): string => line.startsWith('NS') ? line.replace(/:.*\s(\d+)$/, ': $1') : line.startsWith('SigQ:') ? 'SigQ:' : line;

/**
 * A file that has lost its name is made again under another, shared memory without a name as a memfd without one; inode numbers are the
 * kernel's.
 */
const withoutPlace = (link: string): string => link.endsWith(' (deleted)') && !/^\/memfd:\S/.test(link) ? '(deleted)' : link.replace(/\[\d+\]$/, '[]');

/** Ranges that the kernel may join or not are joined; what is mapped and how it may be used stays. */
function mapsOf(text: string): string {
  const joined: { start: string; end: string; rest: string }[] = [];
  for (const line of text.trim().split('\n')) {
    const match = /^([0-9a-f]+)-([0-9a-f]+) (\S+) ([0-9a-f]+) \S+ \d+\s*(.*)$/.exec(line);
    if (match === null) continue;
    const [, start = '', end = '', mode = '', , name = ''] = match;
    const rest = `${mode} ${withoutPlace(name)}`;
    const last = joined.at(-1);
    if (last !== undefined && last.end === start && last.rest === rest) last.end = end;
    else joined.push({ start, end, rest });
  }
  return joined.map(({ start, end, rest }) => `${start}-${end} ${rest}`).join('\n');
}
