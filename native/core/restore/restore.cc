#include "core/restore/restore.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "configurator/configurator_page.h"
#include "core/fill/filler.h"
#include "core/image/codec.h"
#include "core/image/environment.h"
#include "core/image/image.h"
#include "core/restore/nursery.h"
#include "core/snapshot/stopped_tree.h"
#include "core/sys/proc.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr int kWithinMs = 30'000;
constexpr double kConfirmWithinUs = 2e6;

class PhaseMarks {
 public:
  PhaseMarks() : lastUs_(monotonicUs()) {}
  void done(PhasesUs& phases, const char* name) {
    double now = monotonicUs();
    phases.emplace_back(name, now - lastUs_);
    lastUs_ = now;
  }

 private:
  double lastUs_;
};

// Every mapped file has to be what it was, or the program would run on with other code under its feet.
void checkMappedFiles(const State& state, pid_t viewPid) {
  for (const MappedFile& file : state.mappedFiles) {
    std::string path = "/proc/" + std::to_string(viewPid) + "/root" + file.path;
    struct stat status{};
    if (::stat(path.c_str(), &status) < 0)
      throw Error("environment-mismatch", "the program's file " + file.path + " is gone; deploy the app again", errno);
    int64_t mtimeNs = status.st_mtim.tv_sec * 1'000'000'000ll + status.st_mtim.tv_nsec;
    if (static_cast<uint64_t>(status.st_size) != file.size || (mtimeNs != file.mtimeNs && !file.writable))
      throw Error("environment-mismatch", "the program's file " + file.path + " was changed since the image was made; deploy the app again");
  }
}

// New processes send their userfaultfds here, each with its virtual pid.
class FillSocket {
 public:
  FillSocket() {
    int ends[2];
    sys("make a socket for userfaultfds", [&] { return ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends); });
    mine_ = UniqueFd(ends[0]);
    theirs_ = UniqueFd(ends[1]);
  }
  int theirs() const { return theirs_.get(); }

  // In the order of `plans`. All have been sent before the programs run.
  std::vector<UniqueFd> receive(const std::vector<FillPlan>& plans) {
    std::map<uint64_t, UniqueFd> byPid;
    for (size_t i = 0; i < plans.size(); i++) {
      uint64_t pid = 0;
      iovec vector{&pid, sizeof pid};
      alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
      msghdr message{};
      message.msg_iov = &vector;
      message.msg_iovlen = 1;
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      sys("receive a userfaultfd", [&] { return ::recvmsg(mine_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT); });
      cmsghdr* part = CMSG_FIRSTHDR(&message);
      if (!part) throw Error("internal", "a userfaultfd did not arrive");
      int fd;
      std::memcpy(&fd, CMSG_DATA(part), sizeof fd);
      byPid[pid] = UniqueFd(fd);
    }
    std::vector<UniqueFd> uffds;
    for (const FillPlan& plan : plans) uffds.push_back(std::move(byPid[plan.pid]));
    return uffds;
  }

 private:
  UniqueFd mine_, theirs_;
};

class TemplateZygote : public Zygote {
 public:
  TemplateZygote(std::shared_ptr<Image> image, pid_t viewPid) : image_(std::move(image)) {
    checkMappedFiles(image_->state(), viewPid);
    compiled_ = compileImage(image_->state(), Purpose::Zygote, image_->pageBytes(), {});
    UniqueFd tape(compiled_->region.toMemfd("appshot-zygote"));
    int ends[2];
    sys("make a zygote's socket", [&] { return ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends); });
    socket_ = std::make_unique<CommandSocket>(UniqueFd(ends[0]));
    UniqueFd its(ends[1]);
    UniqueFd view = sysFd("open the template's view", [&] { return static_cast<int>(::syscall(SYS_pidfd_open, viewPid, 0)); });
    StatusPage status;
    Command command{};
    command.kind = COMMAND_ZYGOTE;
    command.regionBase = compiled_->region.base();
    command.regionSize = compiled_->region.size();
    command.header = compiled_->region.headerAddress();
    pid_ = Nursery::instance().socket().send(command, {view.get(), -1, tape.get(), status.fd(), image_->pagesFd(), its.get(), {}});
    try {
      status.wait(compiled_->region.steps(), kWithinMs);
    } catch (...) {
      end();
      throw;
    }
  }
  ~TemplateZygote() override { end(); }

  pid_t pid() const override { return pid_; }

  Restored clone(const Pod& pod, const Personal&) override {
    Restored restored;
    PhaseMarks marks;
    StatusPage status;
    CommandSocket::Descriptors descriptors = podDescriptors(pod, status.fd());
    descriptors.pages = image_->pagesFd();
    socket_->send(podCommand(COMMAND_CLONE, image_->state(), pod), descriptors);
    marks.done(restored.phases, "fork");
    status.wait(compiled_->region.steps(), kWithinMs);
    marks.done(restored.phases, "personalize");
    restored.root = findInPod(pod, image_->state().processes.front().pid);
    const Process& root = image_->state().processes.front();
    for (const Process& process : image_->state().processes)
      if (process.configurator) awaitConfirmation(process, &process == &root ? restored.root : hostPidIn(pod, process.pid));
    marks.done(restored.phases, "confirm");
    return restored;
  }

 private:
  static void awaitConfirmation(const Process& process, pid_t pid) {
    double deadlineUs = monotonicUs() + kConfirmWithinUs;
    for (unsigned pauseUs = 20;; pauseUs = std::min(pauseUs * 2, 1000u)) {
      ConfiguratorPage page{};
      readRemote(pid, APPSHOT_CONFIGURATOR_ADDRESS, &page, sizeof page);
      if (page.confirmed == 1) return;
      if (page.confirmed != 0 || monotonicUs() > deadlineUs)
        throw Error("internal", "the clone's process " + std::to_string(process.pid) + " did not confirm that it has random numbers of its own");
      ::usleep(pauseUs);
    }
  }

  static pid_t hostPidIn(const Pod& pod, pid_t vpid) {
    for (pid_t pid : podProcesses(pod))
      if (virtualPid(pid) == vpid) return pid;
    throw Error("internal", "process " + std::to_string(vpid) + " of the clone ended as soon as it was made");
  }

  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, __WALL);
    pid_ = -1;
  }

  std::shared_ptr<Image> image_;
  std::unique_ptr<Compiled> compiled_;
  std::unique_ptr<CommandSocket> socket_;
  pid_t pid_ = -1;
};

}  // namespace

std::shared_ptr<Image> openImage(const std::string& imageDir) {
  auto image = std::make_shared<Image>(imageDir);
  checkEnvironment(image->state().environment);
  image->verifyPages();
  return image;
}

const std::string& imageMeta(const Image& image) { return image.meta(); }

std::string describeImage(const Image& image) { return describeState(image.state()); }

Restored restoreImage(const std::shared_ptr<Image>& image, const Pod& pod, const Personal&) {
  Restored restored;
  PhaseMarks marks;
  const State& state = image->state();
  checkMappedFiles(state, pod.init);
  std::unique_ptr<Compiled> compiled = compileImage(state, Purpose::Restore, image->pageBytes(), readWorkingSet(image->directory()));
  FillSocket fillSocket;
  UniqueFd tape(compiled->region.toMemfd("appshot-restore"));
  marks.done(restored.phases, "compile");
  StatusPage status;
  Command command = podCommand(COMMAND_RESTORE, state, pod);
  command.regionBase = compiled->region.base();
  command.regionSize = compiled->region.size();
  command.header = compiled->region.headerAddress();
  CommandSocket::Descriptors descriptors = podDescriptors(pod, status.fd());
  descriptors.tape = tape.get();
  descriptors.pages = image->pagesFd();
  descriptors.extra = fillSocket.theirs();
  Nursery::instance().socket().send(command, descriptors);
  marks.done(restored.phases, "fork");
  status.wait(compiled->region.steps(), kWithinMs);
  // The programs run already; whoever misses memory waits for this.
  if (!compiled->fills.empty())
    startFilling({image->directory(), compiled->fills, fillSocket.receive(compiled->fills), image->pagesFd(), image->pageBytes()}, pod.init);
  marks.done(restored.phases, "fill");
  restored.root = findInPod(pod, state.processes.front().pid);
  return restored;
}

std::unique_ptr<Zygote> Zygote::build(const std::shared_ptr<Image>& image, pid_t viewPid) {
  return std::make_unique<TemplateZygote>(image, viewPid);
}

}  // namespace appshot
