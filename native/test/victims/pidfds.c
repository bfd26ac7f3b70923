/* pidfds of a child that runs, of a zombie, and of one that is gone; one of them in an epoll set; closed on exec as they were. */
#include "victim.h"
#include <poll.h>
#include <sys/epoll.h>
VICTIM(pidfds)

static int of_child, of_zombie, of_none, copy, epoll;
static pid_t child, zombie;

static int open_pidfd(pid_t pid) { return (int)MUST(syscall(SYS_pidfd_open, pid, 0)); }

static pid_t spawn(int waits) {
  pid_t pid = MUST(fork());
  if (pid == 0) {
    while (waits) pause();
    _exit(5);
  }
  return pid;
}

static void setup(void) {
  child = spawn(1);
  of_child = open_pidfd(child);
  copy = MUST(fcntl(of_child, F_DUPFD, 50));
  zombie = spawn(0);
  of_zombie = open_pidfd(zombie);
  siginfo_t ended;
  MUST(waitid(P_PID, (id_t)zombie, &ended, WEXITED | WNOWAIT));
  pid_t none = spawn(0);
  of_none = open_pidfd(none);
  MUST(waitpid(none, NULL, 0));
  epoll = MUST(epoll_create1(EPOLL_CLOEXEC));
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = 7};
  MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, of_child, &event));
}

static int readable(int fd) {
  struct pollfd query = {fd, POLLIN, 0};
  return poll(&query, 1, 0) == 1 && (query.revents & POLLIN);
}

static const char *check(void) {
  struct epoll_event event;
  siginfo_t info = {0};
  EXPECT(!readable(of_child));
  EXPECT(!readable(copy));
  EXPECT(readable(of_zombie));
  EXPECT(readable(of_none));
  EXPECT_EQUAL(epoll_wait(epoll, &event, 1, 0), 0);
  EXPECT_EQUAL(fcntl(of_child, F_GETFD), FD_CLOEXEC);
  EXPECT_EQUAL(fcntl(copy, F_GETFD), 0);
  EXPECT_EQUAL(syscall(SYS_pidfd_send_signal, of_child, 0, NULL, 0), 0);
  EXPECT_EQUAL(syscall(SYS_pidfd_send_signal, of_none, 0, NULL, 0), -1);
  EXPECT_EQUAL(waitid(P_PIDFD, (id_t)of_zombie, &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQUAL(info.si_pid, zombie);
  EXPECT_EQUAL(info.si_status, 5);
  return NULL;
}
