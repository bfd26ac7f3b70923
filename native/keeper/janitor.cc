#include "keeper/janitor.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>

namespace fs = std::filesystem;

namespace appshot {

void Janitor::start() {
  std::error_code ignored;
  fs::create_directories(trash_, ignored);
  fs::permissions(trash_, fs::perms::owner_all, ignored);
  for (const auto& entry : fs::directory_iterator(trash_, ignored)) waiting_.push_back(entry.path());
  thread_ = std::thread([this] { run(); });
}

void Janitor::remove(const std::string& path) {
  std::lock_guard lock(mutex_);
  std::string away = trash_ + "/" + std::to_string(::getpid()) + "-" + std::to_string(++taken_);
  if (std::rename(path.c_str(), away.c_str()) != 0) {
    if (errno == ENOENT) return;
    away = path;
  }
  waiting_.push_back(away);
  changed_.notify_one();
}

void Janitor::close() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
  ::rmdir(trash_.c_str());
}

void Janitor::run() {
  // A node that is always busy gets rid of its waste all the same.
  constexpr int kPatienceMs = 2000;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return closing_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    bool hurry = closing_;
    std::string path = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    if (!hurry) quiet_.await(kPatienceMs);
    std::error_code failed;
    fs::remove_all(path, failed);
    if (failed) std::fprintf(stderr, "remove %s: %s\n", path.c_str(), failed.message().c_str());
    lock.lock();
  }
}

}  // namespace appshot
