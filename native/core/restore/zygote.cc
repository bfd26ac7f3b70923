// The process that holds a template's memory, and the clones that it forks.
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "configurator/configurator_page.h"
#include "core/image/image.h"
#include "core/restore/mapped_files.h"
#include "core/restore/nursery.h"
#include "core/restore/phase_marks.h"
#include "core/restore/restore.h"
#include "core/snapshot/stopped_tree.h"
#include "core/sys/proc.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr int kWithinMs = 30'000;
constexpr double kConfirmWithinUs = 2e6;

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

std::unique_ptr<Zygote> Zygote::build(const std::shared_ptr<Image>& image, pid_t viewPid) {
  return std::make_unique<TemplateZygote>(image, viewPid);
}

}  // namespace appshot
