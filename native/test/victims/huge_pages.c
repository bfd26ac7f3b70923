/* Memory of huge pages (hugetlb), none of which is there yet: refused. */
#include "victim.h"

VICTIM(huge_pages)

static void *memory;

static void setup(void) {
  memory = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) exit(3);
}

static const char *check(void) {
  unsigned char in_core[512];
  EXPECT_EQUAL(mincore(memory, 2 << 20, in_core), 0);
  return NULL;
}
