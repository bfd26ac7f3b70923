/* Who is told of a message, and how, the kernel does not say: refused by name. */
#include "victim.h"
#include <mqueue.h>
VICTIM(posix_queue_notify)

static mqd_t queue;

static void setup(void) {
  struct mq_attr attributes = {.mq_maxmsg = 2, .mq_msgsize = 16};
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  signal(SIGUSR1, SIG_IGN);
  queue = MUST(mq_open("/told", O_CREAT | O_RDWR, 0600, &attributes));
  MUST(mq_notify(queue, &event));
}

static const char *check(void) {
  EXPECT(fcntl(queue, F_GETFD) >= 0);
  return NULL;
}
