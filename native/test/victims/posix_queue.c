/* A POSIX message queue: refused by name. */
#include "victim.h"
#include <mqueue.h>
VICTIM(posix_queue)

static mqd_t queue;

static void setup(void) {
  queue = MUST(mq_open("/of the victim", O_RDWR | O_CREAT | O_NONBLOCK, 0600, NULL));
  MUST(mq_send(queue, "message", 7, 1));
}

static const char *check(void) {
  struct mq_attr attributes;
  EXPECT_EQUAL(mq_getattr(queue, &attributes), 0);
  EXPECT_EQUAL(attributes.mq_curmsgs, 1);
  return NULL;
}
