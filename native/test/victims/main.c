#include "victim.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct victim *victims;

const char *bad(const char *format, ...) {
  static char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return text;
}

void paint(void *memory, size_t bytes, unsigned seed) {
  for (size_t i = 0; i < bytes / 4; i++) ((uint32_t *)memory)[i] = seed * 2654435761u + (uint32_t)i * 40503u;
}

int painted(const void *memory, size_t bytes, unsigned seed) {
  for (size_t i = 0; i < bytes / 4; i++)
    if (((const uint32_t *)memory)[i] != seed * 2654435761u + (uint32_t)i * 40503u) return 0;
  return 1;
}

void sleep_ms(long ms) {
  struct timespec left = {ms / 1000, ms % 1000 * 1000000};
  while (nanosleep(&left, &left) < 0 && errno == EINTR) {
  }
}

int64_t now_ns(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1000000000ll + now.tv_nsec;
}

struct helper start_helper(const char *(*prepare)(void), const char *(*answer)(void)) {
  int ask[2], told[2];
  MUST(pipe(ask));
  MUST(pipe(told));
  pid_t pid = MUST(fork());
  if (pid == 0) {
    close(ask[1]);
    close(told[0]);
    const char *why = prepare ? prepare() : NULL;
    char byte = why ? 'x' : 'r';
    MUST(write(told[1], &byte, 1));
    while (read(ask[0], &byte, 1) == 1) {
      char text[512] = "";
      if ((why = answer())) snprintf(text, sizeof text, "%s", why);
      MUST(write(told[1], text, sizeof text));
    }
    _exit(0);
  }
  close(ask[0]);
  close(told[1]);
  char byte = 'x';
  if (read(told[0], &byte, 1) != 1 || byte != 'r') exit(3);
  return (struct helper){pid, ask[1], told[0]};
}

const char *ask_helper(struct helper *helper) {
  char text[512];
  size_t have = 0;
  if (write(helper->ask, "?", 1) != 1) return bad("the helper cannot be asked: errno %d", errno);
  while (have < sizeof text) {
    ssize_t n = read(helper->told, text + have, sizeof text - have);
    if (n <= 0) return bad("the helper does not answer: errno %d", n < 0 ? errno : 0);
    have += (size_t)n;
  }
  return text[0] ? bad("in the helper: %s", text) : NULL;
}

static void answer(int client, const struct victim *victim) {
  const char *why = victim->check();
  char line[600];
  int bytes = snprintf(line, sizeof line, why ? "bad: %s\n" : "ok\n", why);
  if (send(client, line, (size_t)bytes, MSG_NOSIGNAL) < 0) perror("send");
}

static void serve(int port, const struct victim *victim) {
  int listener = MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), yes = 1;
  MUST(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes));
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  MUST(bind(listener, (struct sockaddr *)&address, sizeof address));
  MUST(listen(listener, 16));
  for (;;) {
    int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0) continue;
    answer(client, victim);
    shutdown(client, SHUT_RDWR);  /* a child that the check has made may hold it too */
    close(client);
  }
}

int main(int argc, char **argv) {
  for (struct victim *victim = victims; victim; victim = victim->next) {
    if (argc == 1) puts(victim->name);
    else if (argc == 3 && strcmp(argv[1], victim->name) == 0) {
      victim->setup();
      serve(atoi(argv[2]), victim);
    }
  }
  return argc == 1 ? 0 : 2;
}
