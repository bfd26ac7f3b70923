import { proc } from './proc.js';

const listening = '0A';

/** "nginx (pid 812)": who listens on a TCP port of this machine; null when it cannot be found. */
export function portOwner(port: number): string | null {
  const inodes = new Set(['net/tcp', 'net/tcp6'].flatMap((file) => listenersIn(proc.text('self', file), port)));
  if (inodes.size === 0) return null;
  for (const pid of proc.pids()) {
    if (socketsOf(pid).some((inode) => inodes.has(inode))) return `${proc.name(pid)} (pid ${pid})`;
  }
  return null;
}

/** Inodes of the sockets that listen on the port, of a table of /proc/net. */
function listenersIn(table: string, port: number): string[] {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  return table.split('\n').map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === listening && fields[1]?.endsWith(`:${hexPort}`))
    .map((fields) => fields[9] ?? '');
}

function socketsOf(pid: number): string[] {
  return proc.entries(pid, 'fd').flatMap((fd) => /^socket:\[(\d+)\]$/.exec(proc.link(pid, `fd/${fd}`))?.[1] ?? []);
}
