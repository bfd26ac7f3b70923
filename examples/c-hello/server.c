// A small HTTP server in C: one process, one thread, a counter in memory.
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static long visits;

static int open_listener(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr.s_addr = INADDR_ANY};
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
      bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 512) < 0) {
    perror("cannot listen");
    exit(1);
  }
  return fd;
}

// Reads until the end of the request's head. A body is not expected. Returns 0 when the peer closed or was too slow.
static int read_head(int fd, char *head, size_t capacity) {
  size_t length = 0;
  while (length + 1 < capacity) {
    ssize_t got = read(fd, head + length, capacity - 1 - length);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return 0;
    length += (size_t)got;
    head[length] = '\0';
    if (strstr(head, "\r\n\r\n") != NULL) return 1;
  }
  return 0;
}

static void write_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t put = write(fd, bytes, length);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return;
    bytes += put;
    length -= (size_t)put;
  }
}

static void answer(int fd, const char *head) {
  char body[64], response[256];
  int health = strncmp(head, "GET /healthz ", 13) == 0;
  int length = health ? snprintf(body, sizeof body, "ok\n") : snprintf(body, sizeof body, "hello, visit %ld\n", ++visits);
  int total = snprintf(response, sizeof response,
                       "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", length, body);
  write_all(fd, response, (size_t)total);
}

int main(void) {
  const char *given = getenv("PORT");
  int port = given ? atoi(given) : 3000;
  int listener = open_listener(port);
  struct timeval patience = {.tv_sec = 5};
  signal(SIGPIPE, SIG_IGN);
  printf("listening on port %d\n", port);
  fflush(stdout);
  for (;;) {
    char head[8192];
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) continue;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (read_head(fd, head, sizeof head)) answer(fd, head);
    close(fd);
  }
}
