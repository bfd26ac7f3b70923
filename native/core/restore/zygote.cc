// The process that holds a template's memory, and the clones that it forks.
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <atomic>
#include <cstddef>
#include <mutex>

#include "configurator/configurator_page.h"
#include "core/pod/file_view.h"
#include "core/image/image.h"
#include "core/restore/inherited_pages.h"
#include "core/restore/mapped_files.h"
#include "core/restore/nursery.h"
#include "core/restore/restore.h"
#include "core/restore/standing.h"
#include "core/restore/write_set.h"
#include "core/snapshot/remote_batch.h"
#include "core/snapshot/stopped_tree.h"
#include "core/snapshot/tracee.h"
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
  TemplateZygote(std::shared_ptr<Image> image, const Pod& view) : image_(std::move(image)) {
    checkMappedFiles(image_->state(), openView(view).get());
    compiled_ = compileImage(image_->state(), Purpose::Zygote, {image_->base().bytes, image_->pageBytes()}, {});
    UniqueFd tape(compiled_->region.toMemfd("appshot-zygote"));
    int ends[2];
    sys("make a zygote's socket", [&] { return ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends); });
    socket_ = std::make_unique<CommandSocket>(UniqueFd(ends[0]));
    UniqueFd its(ends[1]);
    StatusPage status;
    Command command{};
    command.kind = COMMAND_ZYGOTE;
    command.regionBase = compiled_->region.base();
    command.regionSize = compiled_->region.size();
    command.header = compiled_->region.headerAddress();
    pid_ = Nursery::instance().socket().send(command, {view.initPidfd.get(), -1, tape.get(), status.fd(), image_->pagesFd(), its.get(), -1, image_->basePagesFd(), {}});
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
    // The others wait for what the first finds out.
    std::unique_lock first(firstFork_, std::defer_lock);
    if (!hasForked_) first.lock();
    auto embryo = std::make_unique<WaitingClone>(image_, compiled_);
    CommandSocket::Descriptors descriptors = podDescriptors(pod, embryo->status().fd());
    descriptors.pages = image_->pagesFd();
    descriptors.base = image_->basePagesFd();
    descriptors.extra = givenPages();
    Command command = podCommand(COMMAND_CLONE, image_->state(), pod);
    socket_->send(command, descriptors);
    embryo->awaitGate(pod);
    if (!hasForked_) passOnDrawn(embryo->root());
    hasForked_ = true;
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
  // What the first clone has found, all others begin with.
  void passOnDrawn(pid_t clone) {
    if (image_->state().processes.front().configurator == 0) return;
    constexpr uint64_t kPlace = APPSHOT_CONFIGURATOR_ADDRESS + offsetof(ConfiguratorPage, drawn);
    DrawnAhead drawn{};
    readRemote(clone, kPlace, &drawn, sizeof drawn);
    if (drawn.none != 1) return;
    writeRemote(pid_, kPlace, &drawn, sizeof drawn);
  }

  // The list of what each clone is given: once it is known, the same for all.
  int givenPages() {
    std::lock_guard lock(writeSetMutex_);
    const State& state = image_->state();
    bool isKnown = writeSet_.isSettled();
    if (given_.valid() && givenIsWhole_ == isKnown) return given_.get();
    bool isInherited = isKnown && inheritPages();
    std::vector<std::vector<PrefaultRun>> runs;
    for (const Process& process : state.processes) {
      bool isRoot = &process == &state.processes.front();
      runs.push_back(writeSet_.runs(process.pid, isRoot && isInherited ? WriteSet::Want::kWritten : WriteSet::Want::kAll));
    }
    given_ = listOfPages(runs);
    givenIsWhole_ = isKnown;
    return given_.get();
  }

  // False where this kernel does not let us: the clones then take these pages themselves.
  bool inheritPages() {
    try {
      UniqueFd list = listOfPages({inheritedByFork(pid_, writeSet_.runs(image_->state().processes.front().pid, WriteSet::Want::kOnlyRead))});
      Command command{};
      command.kind = COMMAND_TOUCH;
      CommandSocket::Descriptors descriptors;
      descriptors.extra = list.get();
      socket_->send(command, descriptors);
      return true;
    } catch (const Error&) {
      return false;
    }
  }

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
  UniqueFd given_;
  bool givenIsWhole_ = false;
  std::mutex firstFork_;
  std::atomic<bool> hasForked_{false};
  pid_t pid_ = -1;
};

}  // namespace

std::unique_ptr<Zygote> Zygote::build(const std::shared_ptr<Image>& image, const Pod& view) {
  return std::make_unique<TemplateZygote>(image, view);
}

}  // namespace appshot
