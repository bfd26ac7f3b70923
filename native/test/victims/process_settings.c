/* Settings of a process that its children inherit: personality, core dump filter, OOM score, I/O priority, memory that may not be
   written and run. */
#include "victim.h"
#include <sys/personality.h>
#include <sys/prctl.h>
VICTIM(process_settings)

static void put(const char *path, const char *text) {
  int file = MUST(open(path, O_WRONLY));
  MUST(write(file, text, strlen(text)));
  close(file);
}

static int reads(const char *path, const char *wanted) {
  char text[64] = "";
  int file = open(path, O_RDONLY);
  ssize_t n = read(file, text, sizeof text - 1);
  close(file);
  return n > 0 && strcmp(text, wanted) == 0;
}

static void setup(void) {
  MUST(personality(ADDR_NO_RANDOMIZE));
  put("/proc/self/coredump_filter", "0x21");
  put("/proc/self/oom_score_adj", "321");
  MUST(syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 6));
  MUST(prctl(65 /* PR_SET_MDWE */, 1, 0, 0, 0));
}

static const char *check(void) {
  EXPECT_EQUAL(personality(0xffffffff), ADDR_NO_RANDOMIZE);
  EXPECT(reads("/proc/self/coredump_filter", "00000021\n"));
  EXPECT(reads("/proc/self/oom_score_adj", "321\n"));
  EXPECT_EQUAL(syscall(SYS_ioprio_get, 1, 0), 2 << 13 | 6);
  EXPECT_EQUAL(prctl(66 /* PR_GET_MDWE */, 0, 0, 0, 0), 1);
  EXPECT(mmap(NULL, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
  return NULL;
}
