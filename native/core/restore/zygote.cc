// The process that holds a template's memory, and the clones that it forks.
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <mutex>

#include "core/image/image.h"
#include "core/restore/mapped_files.h"
#include "core/restore/nursery.h"
#include "core/restore/restore.h"
#include "core/restore/standing.h"
#include "core/restore/write_set.h"
#include "core/snapshot/stopped_tree.h"
#include "core/sys/proc.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr int kWithinMs = 30'000;

class WaitingClone : public Embryo {
 public:
  WaitingClone(std::shared_ptr<Image> image, std::shared_ptr<Compiled> compiled) : image_(std::move(image)), compiled_(std::move(compiled)) {}

  const StatusPage& status() const { return status_; }

  void awaitGate(const Pod& pod) {
    pod_ = &pod;
    status_.wait(compiled_->region.steps(), kWithinMs, kAtGate);
    root_ = findInPod(pod, image_->state().processes.front().pid);
  }

  pid_t root() const override { return root_; }
  size_t processes() const override { return liveProcesses(image_->state()); }
  pid_t rootVpid() const override { return image_->state().processes.front().pid; }

  void go() override {
    if (anyStands(image_->state())) bringToStand(image_->state(), *pod_, status_);
    else status_.openGate();
  }

  void await(int withinMs) override { status_.wait(compiled_->region.steps(), withinMs, kRuns); }

 private:
  std::shared_ptr<Image> image_;
  std::shared_ptr<Compiled> compiled_;   // names the steps
  StatusPage status_;
  const Pod* pod_ = nullptr;
  pid_t root_ = -1;
};

class TemplateZygote : public Zygote {
 public:
  TemplateZygote(std::shared_ptr<Image> image, pid_t viewPid) : image_(std::move(image)) {
    checkMappedFiles(image_->state(), viewPid);
    compiled_ = compileImage(image_->state(), Purpose::Zygote, {image_->base().bytes, image_->pageBytes()}, {});
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
    pid_ = Nursery::instance().socket().send(command, {view.get(), -1, tape.get(), status.fd(), image_->pagesFd(), its.get(), -1, image_->basePagesFd(), {}});
    try {
      status.wait(compiled_->region.steps(), kWithinMs);
    } catch (...) {
      end();
      throw;
    }
  }
  ~TemplateZygote() override { end(); }

  pid_t pid() const override { return pid_; }

  std::unique_ptr<Embryo> fork(const Pod& pod) override {
    auto embryo = std::make_unique<WaitingClone>(image_, compiled_);
    CommandSocket::Descriptors descriptors = podDescriptors(pod, embryo->status().fd());
    descriptors.pages = image_->pagesFd();
    descriptors.base = image_->basePagesFd();
    UniqueFd prefault;
    {
      std::lock_guard lock(writeSetMutex_);
      prefault = writeSet_.toMemfd(image_->state());
    }
    descriptors.extra = prefault.get();
    Command command = podCommand(COMMAND_CLONE, image_->state(), pod);
    socket_->send(command, descriptors);
    embryo->awaitGate(pod);
    return embryo;
  }

  void learnFrom(const Pod& pod) override {
    std::lock_guard lock(writeSetMutex_);
    if (writeSet_.isSettled()) return;
    writeSet_.beginLook();
    for (pid_t pid : podProcesses(pod)) writeSet_.add(virtualPid(pid), pid);
  }

  size_t knownPages() override {
    std::lock_guard lock(writeSetMutex_);
    return writeSet_.size();
  }

 private:
  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, __WALL);
    pid_ = -1;
  }

  std::shared_ptr<Image> image_;
  std::shared_ptr<Compiled> compiled_;
  std::unique_ptr<CommandSocket> socket_;
  std::mutex writeSetMutex_;
  WriteSet writeSet_;
  pid_t pid_ = -1;
};

}  // namespace

std::unique_ptr<Zygote> Zygote::build(const std::shared_ptr<Image>& image, pid_t viewPid) {
  return std::make_unique<TemplateZygote>(image, viewPid);
}

}  // namespace appshot
