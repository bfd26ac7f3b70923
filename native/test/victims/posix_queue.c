/* POSIX message queues: one open, one that nobody has open, one without a name; contents in their order, attributes, modes. */
#include "victim.h"
#include <mqueue.h>
VICTIM(posix_queue)

static mqd_t queue, nameless;
static const struct mq_attr wanted = {.mq_maxmsg = 5, .mq_msgsize = 64};

static void fill(mqd_t to) {
  MUST(mq_send(to, "low", 4, 1));
  MUST(mq_send(to, "high", 5, 9));
  MUST(mq_send(to, "low again", 10, 1));
}

static mqd_t make(const char *name) {
  struct mq_attr attributes = wanted;
  mqd_t made = MUST(mq_open(name, O_CREAT | O_EXCL | O_RDWR | O_NONBLOCK, 0620, &attributes));
  fill(made);
  return made;
}

static void setup(void) {
  umask(0);
  queue = make("/of the victim");
  mq_close(make("/closed"));
  nameless = make("/soon gone");
  MUST(mq_unlink("/soon gone"));
}

static const char *contents(mqd_t from) {
  static const struct { const char *text; unsigned priority; } order[] = {{"high", 9}, {"low", 1}, {"low again", 1}};
  char text[64];
  unsigned priority;
  for (int i = 0; i < 3; i++) {
    EXPECT(mq_receive(from, text, sizeof text, &priority) > 0);
    EXPECT(strcmp(text, order[i].text) == 0);
    EXPECT_EQUAL(priority, order[i].priority);
  }
  EXPECT_EQUAL(mq_receive(from, text, sizeof text, &priority), -1);
  EXPECT_EQUAL(errno, EAGAIN);
  fill(from);
  return NULL;
}

static const char *check(void) {
  struct mq_attr attributes;
  struct stat status;
  const char *why;
  EXPECT_EQUAL(mq_getattr(queue, &attributes), 0);
  EXPECT_EQUAL(attributes.mq_maxmsg, 5);
  EXPECT_EQUAL(attributes.mq_msgsize, 64);
  EXPECT_EQUAL(attributes.mq_flags, O_NONBLOCK);
  EXPECT_EQUAL(fstat(queue, &status), 0);
  EXPECT_EQUAL(status.st_mode & 0777, 0620);
  EXPECT_EQUAL(status.st_uid, geteuid());
  if ((why = contents(queue)) || (why = contents(nameless))) return why;
  EXPECT_EQUAL(mq_open("/soon gone", O_RDWR), -1);
  mqd_t closed = mq_open("/closed", O_RDWR | O_NONBLOCK);
  EXPECT(closed >= 0);
  why = contents(closed);
  mq_close(closed);
  return why;
}
