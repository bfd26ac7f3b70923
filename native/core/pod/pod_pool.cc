#include "core/pod/pod_pool.h"

#include <cerrno>
#include <cstdio>

#include "core/pod/owner.h"
#include "core/sys/sys.h"

namespace appshot {

void PodPool::start() {
  thread_ = std::thread([this] { run(); });
}

void PodPool::close() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
    while (!ready_.empty()) {
      leaving_.push_back(std::move(ready_.front()));
      ready_.pop_front();
    }
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void PodPool::configure(const std::vector<in_addr>& addresses, size_t ready) {
  std::lock_guard lock(mutex_);
  addresses_.configure(addresses);
  wanted_ = ready;
  resting_ = false;
  std::deque<PodPtr> kept;
  for (auto& pod : ready_) (addresses_.contains(pod->farmIp) ? kept : leaving_).push_back(std::move(pod));
  ready_ = std::move(kept);
  while (ready_.size() > wanted_) {
    leaving_.push_back(std::move(ready_.back()));
    ready_.pop_back();
  }
  changed_.notify_all();
}

void PodPool::adopt(const Pod& pod) {
  std::lock_guard lock(mutex_);
  addresses_.markTaken(pod.farmIp);
  numbers_.insert(pod.number);
}

unsigned PodPool::nextNumber() {
  do {
    lastNumber_ = lastNumber_ % kPodNumbers + 1;
  } while (numbers_.count(lastNumber_));
  numbers_.insert(lastNumber_);
  return lastNumber_;
}

PodPtr PodPool::makeOne() {
  // Somebody else on this machine may use some of the addresses.
  constexpr int kTries = 32;
  for (int i = 1;; ++i) {
    try {
      return tryMakeOne();
    } catch (const Error& error) {
      if (error.err() != EEXIST || i == kTries) throw;
    }
  }
}

PodPtr PodPool::tryMakeOne() {
  unsigned number;
  in_addr address;
  {
    std::lock_guard lock(mutex_);
    auto taken = addresses_.take();
    if (!taken) throw Error("no-address", "every address of this engine is in use: give it more, or stop instances");
    address = *taken;
    number = nextNumber();
  }
  try {
    return std::make_shared<Pod>(maker_.make(number, address));
  } catch (...) {
    std::lock_guard lock(mutex_);
    addresses_.giveBack(address);
    numbers_.erase(number);
    throw;
  }
}

PodPtr PodPool::take() {
  {
    std::lock_guard lock(mutex_);
    if (!ready_.empty()) {
      PodPtr pod = std::move(ready_.front());
      ready_.pop_front();
      resting_ = false;
      changed_.notify_all();
      return pod;
    }
  }
  try {
    return makeOne();
  } catch (const Error& error) {
    if (error.code() != "no-address") throw;
  }
  drain();  // pods on their way out still hold theirs
  return makeOne();
}

void PodPool::giveBack(PodPtr pod) {
  std::lock_guard lock(mutex_);
  leaving_.push_back(std::move(pod));
  resting_ = false;
  changed_.notify_all();
}

void PodPool::hold(const HeldAddress& held) {
  std::lock_guard lock(mutex_);
  addresses_.hold(held);
}

void PodPool::endHold(const std::string& image) {
  std::lock_guard lock(mutex_);
  addresses_.endHold(image);
  changed_.notify_all();
}

void PodPool::endHoldsBut(const std::vector<in_addr>& these) {
  std::lock_guard lock(mutex_);
  addresses_.endHoldsBut(these);
}

std::vector<HeldAddress> PodPool::held() {
  std::lock_guard lock(mutex_);
  return addresses_.held();
}

bool PodPool::readdress(Pod& pod, in_addr address) {
  if (pod.farmIp.s_addr == address.s_addr) return false;  // it would answer before its connections are there
  auto claim = [&] {
    std::lock_guard lock(mutex_);
    return addresses_.claim(address);
  };
  bool isOurs = claim();
  if (!isOurs) {
    drain();  // the pod that had it may be on its way out
    isOurs = claim();
  }
  if (!isOurs) return false;
  in_addr before = pod.farmIp;
  try {
    maker_.readdress(pod, address);
  } catch (...) {
    std::lock_guard lock(mutex_);
    addresses_.giveBack(address);
    throw;
  }
  std::lock_guard lock(mutex_);
  addresses_.giveBack(before);
  changed_.notify_all();
  return true;
}

size_t PodPool::ready() const {
  std::lock_guard lock(mutex_);
  return ready_.size();
}

bool PodPool::mayHold(in_addr address) const {
  std::lock_guard lock(mutex_);
  return addresses_.contains(address);
}

void PodPool::drain() {
  std::unique_lock lock(mutex_);
  ++draining_;
  changed_.notify_all();
  changed_.wait(lock, [this] { return leaving_.empty() && unmaking_ == 0; });
  --draining_;
}

void PodPool::giveWay() {
  constexpr int kPatienceMs = 500;
  {
    std::lock_guard lock(mutex_);
    if (closing_ || draining_ > 0) return;
  }
  quiet_.await(kPatienceMs);
}

bool PodPool::wantsMore() const { return !closing_ && !resting_ && ready_.size() < wanted_ && addresses_.free() > 0; }

void PodPool::unmake(Pod& pod) {
  maker_.destroy(pod);
  std::lock_guard lock(mutex_);
  addresses_.giveBack(pod.farmIp);
  numbers_.erase(pod.number);
  --unmaking_;
  changed_.notify_all();
}

void PodPool::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return closing_ || wantsMore() || !leaving_.empty(); });
    lock.unlock();
    giveWay();
    lock.lock();
    if (wantsMore()) {
      lock.unlock();
      try {
        PodPtr pod = makeOne();
        lock.lock();
        // The addresses may have been changed, or the pool closed, while it was made.
        bool wanted = !closing_ && addresses_.contains(pod->farmIp);
        (wanted ? ready_ : leaving_).push_back(std::move(pod));
      } catch (const Error& error) {
        std::fprintf(stderr, "make a pod in advance: %s\n", error.what());
        lock.lock();
        resting_ = true;
      }
    } else if (!leaving_.empty()) {
      PodPtr pod = std::move(leaving_.front());
      leaving_.pop_front();
      ++unmaking_;
      lock.unlock();
      unmake(*pod);
      lock.lock();
    } else if (closing_) {
      return;
    }
  }
}

}  // namespace appshot
