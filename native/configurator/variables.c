#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "configurator/parts.h"

static int setFrom(char* text, size_t bytes) {
  for (char* entry = text; entry < text + bytes; entry += strlen(entry) + 1) {
    char* equals = strchr(entry, '=');
    if (!equals) return -1;
    *equals = '\0';
    int failed = setenv(entry, equals + 1, 1);
    *equals = '=';
    if (failed) return -1;
  }
  return 0;
}

int setVariables(void) {
  int fd = open(APPSHOT_VARIABLES, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  struct stat status;
  int result = fstat(fd, &status);
  if (result == 0 && status.st_size > 0) {
    size_t bytes = (size_t)status.st_size;
    char* text = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    /* Where the file ends on a page's edge there is no zero byte behind it, but it ends in one. */
    result = text == MAP_FAILED || text[bytes - 1] != '\0' ? -1 : setFrom(text, bytes);
    if (text != MAP_FAILED) munmap(text, bytes);
  }
  close(fd);
  return result;
}
