/* Linux AIO: its ring is memory that the kernel writes to; refused by name. */
#include "victim.h"
VICTIM(async_io_ring)

static unsigned long context;

static void setup(void) { MUST(syscall(SYS_io_setup, 4, &context)); }

static const char *check(void) {
  EXPECT(context != 0);
  return NULL;
}
