/* mlock, MADV_DONTDUMP, MADV_NOHUGEPAGE and the like still stand in VmFlags. */
#include "victim.h"
VICTIM(locked_memory)

static char *locked, *plain;

static int has_flag(const void *at, const char *flag) {
  char line[512], from[32];
  snprintf(from, sizeof from, "%lx-", (unsigned long)at);
  FILE *maps = fopen("/proc/self/smaps", "r");
  int inside = 0, found = 0;
  while (fgets(line, sizeof line, maps)) {
    if (strchr(line, '-') && strstr(line, " ") && strspn(line, "0123456789abcdef") >= 8) inside = strncmp(line, from, strlen(from)) == 0;
    if (inside && strncmp(line, "VmFlags:", 8) == 0 && strstr(line, flag)) found = 1;
  }
  fclose(maps);
  return found;
}

static void setup(void) {
  locked = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(mlock(locked, 16384));
  paint(locked, 16384, 1);
  mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  plain = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(madvise(plain, 16384, MADV_DONTDUMP));
  MUST(madvise(plain, 16384, MADV_NOHUGEPAGE));
  MUST(madvise(plain, 16384, MADV_RANDOM));
}

static const char *check(void) {
  EXPECT(painted(locked, 16384, 1));
  EXPECT(has_flag(locked, " lo"));
  EXPECT(has_flag(plain, " dd"));
  EXPECT(has_flag(plain, " nh"));
  EXPECT(has_flag(plain, " rr"));
  return NULL;
}
