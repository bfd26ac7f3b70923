import test from 'ava';
import { loseFiller, loseFillerOfChild } from './victims/lost-filler.js';
import { VictimFarm } from './victims/victim-farm.js';

/** What cannot be saved, and the message with which it is refused; the program then runs on. */
const refused: Readonly<Record<string, RegExp>> = {
  async_io_ring: /memory [0-9a-f]+-[0-9a-f]+ is a ring of Linux AIO; not supported/,
  deleted_fifo: /fd \d+ is the deleted fifo \/tmp\/gone fifo \(deleted\); not supported/,
  deleted_large: /fd \d+ is the deleted file \/tmp\/large of more than 64 MiB; not supported/,
  deleted_linked: /fd \d+ is the deleted file \/tmp\/first name, which has another name; not supported/,
  first_thread_gone: /pid \d+ \(victims\) goes on without its first thread; not supported/,
  huge_pages: /memory [0-9a-f]+-[0-9a-f]+ is of huge pages \(hugetlb\); not supported/,
  inotify_unread: /fd \d+ is an inotify set with events that nobody has read; not supported/,
  io_uring_ring: /fd \d+ is an io_uring; not supported/,
  lease_breaking: /fd \d+ \(\/tmp\/wanted\) holds a lease that is being broken; not supported/,
  namespace_file: /fd \d+ is the namespace uts:\[\d+\]; not supported/,
  netlink_waiting: /fd \d+ is a netlink socket with messages waiting; not supported/,
  passed_proc_file: /a descriptor on its way over fd \d+: fd \d+ is the file \/proc\/\d+\/status; not supported/,
  pending_continue: /pid \d+ \(victims\) has a blocked SIGCONT waiting; not supported/,
  posix_queue_notify: /fd \d+ is the POSIX message queue \/told, of which a process is notified; not supported/,
  proc_file: /fd \d+ is the file \/proc\/\d+\/status; not supported/,
  shared_memory_child: /pid \d+ \(victims\) shares its memory with pid \d+ \(victims\); not supported/,
  strict_seccomp: /pid \d+ \(victims\) has a seccomp filter that does not allow munmap, which the restorer needs; not supported/,
  tcp_urgent: /fd \d+ is a TCP connection with urgent data waiting; not supported/,
  thread_own_directory: /pid \d+ \(victims\) has a thread with a working directory and umask of its own; not supported/,
  traced_child: /is being traced by another process; not supported/,
};

/** Of these, what can be read of a stopped thread only. */
const foundWhenStopped: readonly string[] = ['strict_seccomp'];

/** What sleeps and wakes, but cannot be in a template, and the message with which that is refused. */
const notCloned: Readonly<Record<string, RegExp>> = {
  stopped_computing: /pid \d+ \(victims\) was stopped by a signal in the middle of computing: a template cannot have it; continue it first/,
  tcp_backlog: /fd \d+ is a socket with connections that wait to be accepted: a template cannot have them/,
  unix_backlog: /fd \d+ is a socket with connections that wait to be accepted: a template cannot have them/,
};

const farm = new VictimFarm();
test.before(() => farm.start());
test.after.always(() => farm.close());

/** Several at a time: most of the time is waiting. */
const atOnce = 3;

async function forEach(names: readonly string[], work: (name: string) => Promise<void>): Promise<void> {
  const left = [...names];
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) await work(name);
  }));
}

test.serial('every kind of state sleeps, wakes twice and is cloned as it was, and nothing of the engine is left in it', async (t) => {
  t.timeout(600_000);
  const wrong: Record<string, string> = {};
  await forEach((await farm.names()).filter((each) => !(each in refused)), async (name) => {
    const why = await farm.sleepAndClone(name);
    if (notCloned[name]) t.regex(why, notCloned[name], name);
    else if (why !== '') wrong[name] = why;
  });
  t.deepEqual(wrong, {});
});

test.serial('what cannot be saved is refused by name before anything is stopped, and the program runs on', async (t) => {
  t.timeout(600_000);
  await forEach(Object.keys(refused), async (name) => {
    t.regex(await farm.refusal(name, { undisturbed: !foundWhenStopped.includes(name) }), refused[name] ?? /./, name);
  });
});

test.serial('an instance whose memory will never come ends rather than reading zeros, and wakes whole', async (t) => {
  t.timeout(300_000);
  t.is(await loseFiller(farm, 'lazy_reads'), '');
});

test.serial('a child that was forked while memory was still missing never reads zeros, even when whoever fills it is killed', async (t) => {
  t.timeout(300_000);
  t.is(await loseFillerOfChild(farm, 'lazy_fork_backwards'), '');
});
