/* Who is told of input, and with which signal: by process, by thread and by group. */
#include "victim.h"
#include <sys/socket.h>
VICTIM(async_owner)

static int ends[2], quiet[2];
static volatile sig_atomic_t heard, heard_fd;

static void on_input(int number, siginfo_t *info, void *context) {
  (void)number;
  (void)context;
  heard++;
  heard_fd = info->si_fd;
}

static void setup(void) {
  struct sigaction action = {.sa_sigaction = on_input, .sa_flags = SA_SIGINFO | SA_RESTART};
  struct f_owner_ex owner = {F_OWNER_TID, getpid()};
  MUST(sigaction(SIGRTMIN + 3, &action, NULL));
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  MUST(fcntl(ends[0], F_SETOWN_EX, &owner));
  MUST(fcntl(ends[0], F_SETSIG, SIGRTMIN + 3));
  MUST(fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK));
  MUST(pipe(quiet));
  MUST(fcntl(quiet[0], F_SETOWN, -getpgrp()));
}

static const char *check(void) {
  struct f_owner_ex owner;
  char byte;
  int before = heard;
  EXPECT_EQUAL(fcntl(ends[0], F_GETOWN_EX, &owner), 0);
  EXPECT_EQUAL(owner.type, F_OWNER_TID);
  EXPECT_EQUAL(owner.pid, getpid());
  EXPECT_EQUAL(fcntl(ends[0], F_GETSIG), SIGRTMIN + 3);
  EXPECT_EQUAL(fcntl(ends[0], F_GETFL) & (O_ASYNC | O_NONBLOCK), O_ASYNC | O_NONBLOCK);
  EXPECT_EQUAL(fcntl(quiet[0], F_GETOWN), -getpgrp());
  EXPECT_EQUAL(write(ends[1], "x", 1), 1);
  for (int i = 0; i < 300 && heard == before; i++) sleep_ms(10);
  EXPECT(heard > before);
  EXPECT_EQUAL(heard_fd, ends[0]);
  EXPECT_EQUAL(read(ends[0], &byte, 1), 1);
  return NULL;
}
