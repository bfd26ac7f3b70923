#include "core/pod/thread_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "core/sys/sys.h"

namespace appshot {

InNamespaces::InNamespaces(int pidfd, int kinds)
    : own_(sysFd("open pidfd of oneself", [] { return static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)); })), kinds_(kinds) {
  // A mount namespace can only be entered by a thread that shares its root and cwd with nobody. Cheap when it is so already.
  if (kinds & CLONE_NEWNS) sys("unshare root and cwd of a thread", [] { return ::unshare(CLONE_FS); });
  sys("enter namespaces", [&] { return ::setns(pidfd, kinds); });
}

InNamespaces::~InNamespaces() {
  // A thread that stays in a pod would do its next work in the wrong place: better no keeper than that one.
  if (::setns(own_.get(), kinds_) != 0) {
    std::perror("appshot-keeper: leave namespaces");
    std::abort();
  }
}

}  // namespace appshot
