// The lowest layers of every view: a directory of the host with the places hidden that are nobody's business.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace appshot {

// What hides: a directory that is empty for the instance.
struct HiddenPlace {
  std::string path;          // absolute, on the host
  unsigned mode = 0755;
};

// One base. Its mounts are taken away with it; views that were made from it keep what they need.
class BaseView {
 public:
  BaseView() = default;
  ~BaseView();
  BaseView(const BaseView&) = delete;
  BaseView& operator=(const BaseView&) = delete;

  std::vector<std::string> lowers;         // layers, uppermost first
  std::vector<std::string> mountPoints;    // in the order in which they were mounted
};

// Bases are made in a mount namespace of the keeper's own, so that nothing of them is left when it ends, however it ends.
class BaseViews {
 public:
  explicit BaseViews(std::string engineDirectory) : engine_(std::move(engineDirectory)) {}

  // Gives this process its mount namespace. Before any other thread is started.
  void start();
  // Takes the mounts away. No pod may be made any more.
  void close();

  // The host's "/".
  std::shared_ptr<BaseView> root() const;
  // Makes it anew: an overlay that has looked for a file does not notice when the host gets it later.
  void refreshRoot();
  // One directory of the host, as it is but for the engine's directory.
  std::shared_ptr<BaseView> ofDirectory(const std::string& path);

  // Whether root() does not show this path to `uid`: hidden, on another file system, or below a directory that it may not enter.
  bool isHiddenFrom(const std::string& path, unsigned uid, unsigned gid) const;

  // Where pods mount their stage.
  std::string stage() const { return home() + "/stage"; }

 private:
  std::string home() const { return engine_ + "/keeper"; }
  std::string mountPoint(const char* kind);
  std::string makeSkeleton(BaseView& base, const std::string& host, const std::vector<HiddenPlace>& hidden);
  void stack(BaseView& base, const std::string& skeleton, const std::string& host);

  std::string engine_;
  mutable std::mutex mutex_;
  std::shared_ptr<BaseView> root_;
  unsigned made_ = 0;
};

// Places of the host that no instance sees; their contents are its own.
const std::vector<HiddenPlace>& hiddenPlaces();

bool isBelow(const std::string& path, const std::string& directory);

}  // namespace appshot
