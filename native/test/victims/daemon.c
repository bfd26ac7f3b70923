/* A classical daemon: forked twice, its session's leader has ended; it answers over a unix socket pair. */
#include "victim.h"
#include <sys/socket.h>
VICTIM(daemon)

static int mine;

static void setup(void) {
  int pair[2];
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  mine = pair[0];
  pid_t leader = MUST(fork());
  if (leader == 0) {
    MUST(setsid());
    for (int i = 0; i < 2; i++)
      if (fork() == 0) {
        int32_t ids[2];
        char byte;
        close(pair[0]);
        while (getppid() != 1) sleep_ms(1);
        if (i == 1)
          for (;;) pause();
        do {
          ids[0] = getsid(0);
          ids[1] = getppid() == 1 ? getpgrp() : -1;
          MUST(write(pair[1], ids, sizeof ids));
        } while (read(pair[1], &byte, 1) == 1);
        _exit(0);
      }
    _exit(0);
  }
  int32_t first[2];
  MUST(waitpid(leader, NULL, 0));
  if (read(mine, first, sizeof first) != sizeof first || first[0] != leader) exit(3);
  close(pair[1]);
}

static const char *check(void) {
  static int32_t session;
  int32_t ids[2];
  EXPECT_EQUAL(write(mine, "?", 1), 1);
  EXPECT_EQUAL(read(mine, ids, sizeof ids), sizeof ids);
  if (session == 0) session = ids[0];
  EXPECT_EQUAL(ids[0], session);
  EXPECT_EQUAL(ids[1], session);
  EXPECT_EQUAL(waitpid(-1, NULL, WNOHANG), -1);
  return NULL;
}
