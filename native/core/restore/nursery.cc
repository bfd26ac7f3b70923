#include "core/restore/nursery.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstring>
#include <set>
#include <sstream>

#include "core/restore/births.h"
#include "core/sys/proc.h"
#include "core/sys/send_descriptors.h"
#include "core/sys/sys.h"

extern "C" {
extern const char appshotNurseryStart[], appshotNurseryEnd[];
extern char** environ;
}

namespace appshot {

static constexpr int kLooksForChild = 20;

StatusPage::StatusPage() {
  fd_ = sysFd("make a status page", [] { return ::memfd_create("appshot-status", MFD_CLOEXEC); });
  sys("size a status page", [&] { return ::ftruncate(fd_.get(), APPSHOT_PAGE); });
  void* page = ::mmap(nullptr, APPSHOT_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_.get(), 0);
  if (page == MAP_FAILED) throwErrno("map a status page", errno);
  status_ = static_cast<Status*>(page);
}

StatusPage::~StatusPage() { ::munmap(status_, APPSHOT_PAGE); }

bool StatusPage::hasFailed() const { return __atomic_load_n(&status_->done, __ATOMIC_SEQ_CST) == kFailed; }

void StatusPage::wait(const std::vector<std::string>& steps, int withinMs, Arrival until) const {
  double deadlineUs = monotonicUs() + withinMs * 1000.0;
  for (;;) {
    uint32_t done = __atomic_load_n(&status_->done, __ATOMIC_SEQ_CST);
    if (done == until) return;
    if (done == kFailed) {
      std::string step = status_->failedStep < steps.size() ? steps[status_->failedStep] : "a step";
      auto err = static_cast<int>(-status_->failedResult);
      throw Error(err == ENOSPC ? "disk-full" : "internal",
                  "restore failed in process or thread " + std::to_string(status_->failedTask) + ": " + step + ": " +
                      (err > 0 ? std::strerror(err) : "unexpected result " + std::to_string(status_->failedResult)),
                  err);
    }
    double left = deadlineUs - monotonicUs();
    if (left <= 0) throw Error("timeout", "restore did not finish within " + std::to_string(withinMs) + " ms; the new processes ended or hang");
    timespec time{static_cast<time_t>(left / 1e6), static_cast<long>(std::fmod(left, 1e6) * 1e3)};
    ::syscall(SYS_futex, &status_->done, FUTEX_WAIT, done, &time, nullptr, 0);
  }
}

void StatusPage::openGate() {
  uint32_t atGate = kAtGate;
  __atomic_compare_exchange_n(&status_->done, &atGate, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  open(GATE_GO);
}

void StatusPage::open(GateKind gate) {
  __atomic_store_n(&status_->gates[gate], 1, __ATOMIC_SEQ_CST);
  ::syscall(SYS_futex, &status_->gates[gate], FUTEX_WAKE, INT32_MAX, nullptr, nullptr, 0);
}

void StatusPage::sayRuns() {
  uint32_t atGate = kAtGate;
  __atomic_compare_exchange_n(&status_->done, &atGate, kRuns, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void StatusPage::furnish() {
  __atomic_store_n(&status_->furnished, 1, __ATOMIC_SEQ_CST);
  ::syscall(SYS_futex, &status_->furnished, FUTEX_WAKE, INT32_MAX, nullptr, nullptr, 0);
}

void StatusPage::awaitFiles(int withinMs) const {
  constexpr timespec kBetweenLooks{0, 10'000'000};
  for (double deadlineUs = monotonicUs() + withinMs * 1000.0; monotonicUs() < deadlineUs;) {
    if (__atomic_load_n(&status_->opened, __ATOMIC_SEQ_CST) || __atomic_load_n(&status_->done, __ATOMIC_SEQ_CST)) return;
    ::syscall(SYS_futex, &status_->opened, FUTEX_WAIT, 0, &kBetweenLooks, nullptr, 0);
  }
}

uint64_t CommandSocket::ask(Command command, const Descriptors& descriptors) {
  static const UniqueFd proc = sysFd("open /proc", [] { return ::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC); });
  // Every place has to hold a descriptor: where there is none to send, /proc stands in.
  auto orProc = [&](int fd) { return fd >= 0 ? fd : proc.get(); };
  std::vector<int> fds = {orProc(descriptors.pod), orProc(descriptors.cgroup), proc.get(), orProc(descriptors.tape),
                          orProc(descriptors.status), orProc(descriptors.pages), orProc(descriptors.extra), orProc(descriptors.duplicates), orProc(descriptors.base)};
  fds.insert(fds.end(), descriptors.v1.begin(), descriptors.v1.end());
  if (fds.size() > APPSHOT_MAX_FDS) throw Error("internal", "too many cgroup hierarchies");
  command.fdCount = static_cast<uint32_t>(fds.size());
  command.v1Count = static_cast<uint32_t>(descriptors.v1.size());
  std::lock_guard lock(asking_);
  sys("ask for a new process", [&] { return sendDescriptors(socket_.get(), &command, sizeof command, fds); });
  return ++asked_;
}

pid_t CommandSocket::await(uint64_t request) {
  int64_t result;
  {
    std::lock_guard lock(hearing_);
    while (heard_ < request) {
      Answer answer{};
      ssize_t n = sys("hear of a new process", [&] { return ::recv(socket_.get(), &answer, sizeof answer, 0); });
      if (n != sizeof answer) throw Error("internal", "the process that makes new processes is gone");
      answers_[++heard_] = answer.result;
    }
    auto mine = answers_.find(request);
    result = mine->second;
    answers_.erase(mine);
  }
  if (result <= 0) throwErrno("make a process in the pod", static_cast<int>(-result));
  return static_cast<pid_t>(result);
}

Nursery& Nursery::instance() {
  static Nursery nursery;
  return nursery;
}

Nursery::Nursery() {
  // New processes hold their descriptors above those of the program for a while.
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);

  UniqueFd program = sysFd("make the nursery's program", [] { return ::memfd_create("appshot-nursery", MFD_CLOEXEC); });
  writeAll(program.get(), appshotNurseryStart, static_cast<size_t>(appshotNurseryEnd - appshotNurseryStart), "write the nursery's program");
  int ends[2];
  sys("make the nursery's socket", [&] { return ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends); });
  UniqueFd mine(ends[0]), its(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, its.get(), 3);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t all;
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &all);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  std::string path = "/proc/self/fd/" + std::to_string(program.get());
  char name[] = "appshot-nursery";
  char* arguments[] = {name, nullptr};
  char* nothing[] = {nullptr};
  pid_t pid = -1;
  int err = ::posix_spawn(&pid, path.c_str(), &actions, &attributes, arguments, nothing);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (err != 0) throwErrno("start the nursery", err);
  socket_ = std::make_unique<CommandSocket>(std::move(mine));
}

size_t liveProcesses(const State& state) {
  return static_cast<size_t>(std::count_if(state.processes.begin(), state.processes.end(), [](const Process& process) { return !process.zombie; }));
}

std::string clockOffsets(const State& state) {
  std::string text;
  for (auto [name, clock, then] : {std::tuple{"monotonic", CLOCK_MONOTONIC, state.monotonicNs}, std::tuple{"boottime", CLOCK_BOOTTIME, state.boottimeNs}}) {
    timespec now{};
    ::clock_gettime(clock, &now);
    int64_t offset = then - (now.tv_sec * 1'000'000'000ll + now.tv_nsec);
    int64_t seconds = offset / 1'000'000'000, nanos = offset % 1'000'000'000;
    if (nanos < 0) {
      nanos += 1'000'000'000;
      seconds--;
    }
    text += std::string(name) + " " + std::to_string(seconds) + " " + std::to_string(nanos) + "\n";
  }
  return text;
}

Command podCommand(CommandKind kind, const State& state, const Pod& pod) {
  Command command{};
  command.kind = kind;
  const BirthPlan births = planBirths(state);
  command.rootPid = births.births[births.first].pid;
  std::set<int32_t> used;
  for (const Birth& birth : births.births) used.insert(birth.pid);
  for (const Process& process : state.processes)
    for (const Thread& thread : process.threads) used.insert(thread.tid);
  command.intermediatePid = 2;
  while (used.count(command.intermediatePid)) command.intermediatePid++;
  command.intoCgroup = pod.cgroup.valid();
  std::string offsets = clockOffsets(state);
  if (offsets.size() > sizeof command.timens) throw Error("internal", "the clock offsets are too long");
  command.timensBytes = static_cast<uint32_t>(offsets.size());
  std::memcpy(command.timens, offsets.data(), offsets.size());
  return command;
}

CommandSocket::Descriptors podDescriptors(const Pod& pod, int status) {
  CommandSocket::Descriptors descriptors;
  descriptors.pod = pod.initPidfd.get();
  descriptors.cgroup = pod.cgroup.get();
  descriptors.status = status;
  return descriptors;
}

// -1 where there is none; `below` generations further down are looked through as well.
static pid_t findAmongChildren(pid_t parent, pid_t wanted, int below) {
  std::string number = std::to_string(parent);
  std::vector<pid_t> others;
  std::istringstream children(readFileIfThere("/proc/" + number + "/task/" + number + "/children"));
  for (pid_t pid; children >> pid;) {
    try {
      if (virtualPid(pid) == wanted) return pid;
      others.push_back(pid);
    } catch (const Error& error) {
      if (error.err() != ENOENT && error.err() != ESRCH) throw;  // it has just ended
    }
  }
  pid_t found = -1;
  for (size_t i = 0; below > 0 && found < 0 && i < others.size(); i++) found = findAmongChildren(others[i], wanted, below - 1);
  return found;
}

pid_t findInPod(const Pod& pod, pid_t wanted) {
  // The kernel leaves some out of the list when others end while it is read. Where the process that has made it for its session is still
  // about to end, it is not yet the init's.
  for (int look = 0; look < kLooksForChild; look++) {
    pid_t found = findAmongChildren(pod.init, wanted, 1);
    if (found > 0) return found;
  }
  throw Error("internal", "process " + std::to_string(wanted) + " of pod " + pod.name + " ended as soon as it was restored");
}

}  // namespace appshot
