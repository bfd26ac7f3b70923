// Starts a program inside a pod, as the application's user and with no privilege left.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "core/pod/pod.h"

namespace appshot {

struct Program {
  std::vector<std::string> command;
  std::string cwd = "/";
  std::vector<std::string> env;          // NAME=value; PATH among them says where the command is searched
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  bool asyncIo = false;                  // it may use io_uring and Linux AIO
};

struct Started {
  pid_t pid = -1;                        // host pid
  int vpid = -1;                         // the same process inside
};

// Starts the application's first process: a child of the pod's init, in a time namespace of its own, in a session of its own,
// its output going to /run/appshot/log. Throws Error `command-not-found` or `bad-request` (no such cwd).
Started startApplication(const Program& program, const Pod& pod);

// A guest: a command that somebody runs in an instance beside its application.
struct Guest {
  Started started;
  // The process outside that waits for it and then exits as it did (128 + n for a signal n): a child of this process.
  pid_t waiter = -1;
  UniqueFd waiterPidfd;
};

// Runs `program` in the namespaces of process `like` (one of the application's) with the given stdio.
Guest startGuest(const Program& program, const Pod& pod, int likePidfd, const int stdio[3]);

}  // namespace appshot
