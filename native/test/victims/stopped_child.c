/* Children that are stopped: one whose stop its parent has been told, with a thread, and one whose stop it has not. They stay so. */
#include "victim.h"
#include <dirent.h>
#include <pthread.h>
VICTIM(stopped_child)

static struct { volatile int reads, sibling_reads; } *counts;
static int pipe_ends[2], sibling_ends[2];
static pid_t child, untold;
static volatile sig_atomic_t told;

static void on_child(int signal) { told += signal == SIGCHLD; }

static void *read_on(void *unused) {
  char byte;
  while (read(sibling_ends[0], &byte, 1) == 1) counts->sibling_reads++;
  return unused;
}

static void be_child(void) {
  char byte;
  pthread_t thread;
  signal(SIGUSR1, on_child);
  if (pthread_create(&thread, NULL, read_on, NULL)) _exit(3);
  while (read(pipe_ends[0], &byte, 1) == 1) counts->reads++;
  _exit(0);
}

static char state_of(pid_t pid, const char *thread) {
  char path[64], text[512] = "";
  snprintf(path, sizeof path, "/proc/%d/%s/stat", pid, thread);
  int file = open(path, O_RDONLY);
  if (file < 0) return '?';
  ssize_t n = read(file, text, sizeof text - 1);
  close(file);
  return n > 0 ? strrchr(text, ')')[2] : '?';
}

/* Each of its threads waits. */
static int all_wait(pid_t pid) {
  char path[64], thread[300];
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR *tasks = opendir(path);
  int all = tasks != NULL;
  for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
    snprintf(thread, sizeof thread, "task/%s", entry->d_name);
    if (entry->d_name[0] != '.' && state_of(pid, thread) != 'S') all = 0;
  }
  if (tasks) closedir(tasks);
  return all;
}

/* Both have read, and are in their next read. */
static void await_reading(int wanted) {
  while (counts->reads < wanted || counts->sibling_reads < wanted || !all_wait(child)) sleep_ms(1);
}

/* Stops the child when both of its threads wait; then there is something for them to read. */
static void stop_child(void) {
  kill(child, SIGSTOP);
  int status = 0;
  if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status)) exit(3);
  if (write(pipe_ends[1], "x", 1) != 1 || write(sibling_ends[1], "x", 1) != 1) exit(3);
}

static void setup(void) {
  counts = MUST(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  MUST(pipe(pipe_ends));
  MUST(pipe(sibling_ends));
  if ((child = MUST(fork())) == 0) be_child();
  signal(SIGCHLD, on_child);
  MUST(write(pipe_ends[1], "x", 1));
  MUST(write(sibling_ends[1], "x", 1));
  await_reading(1);
  stop_child();
  if ((untold = MUST(fork())) == 0)
    for (;;) pause();
  while (state_of(untold, "") != 'S') sleep_ms(1);
  kill(untold, SIGSTOP);
  while (state_of(untold, "") != 'T') sleep_ms(1);
}

static const char *check(void) {
  static int rounds = 1, signals = -1;
  siginfo_t info = {0};
  if (signals < 0) signals = told;
  EXPECT_EQUAL(told, signals);
  EXPECT_EQUAL(state_of(child, ""), 'T');
  EXPECT_EQUAL(counts->reads, rounds);
  EXPECT_EQUAL(counts->sibling_reads, rounds);
  EXPECT_EQUAL(waitid(P_PID, (id_t)child, &info, WSTOPPED | WCONTINUED | WEXITED | WNOHANG | WNOWAIT), 0);
  EXPECT_EQUAL(info.si_pid, 0);
  EXPECT_EQUAL(state_of(untold, ""), 'T');
  EXPECT_EQUAL(waitid(P_PID, (id_t)untold, &info, WSTOPPED | WNOHANG | WNOWAIT), 0);
  EXPECT_EQUAL(info.si_code, CLD_STOPPED);
  EXPECT_EQUAL(info.si_status, SIGSTOP);
  /* What comes meanwhile waits for SIGCONT. */
  kill(child, SIGUSR1);
  kill(child, SIGCONT);
  rounds++;
  await_reading(rounds);
  stop_child();
  signals = told;
  return NULL;
}
