// Pods made in advance by a thread, so that no wake waits for a network namespace, and pods unmade by a thread, so that no
// stop waits for one either.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "core/pod/address_pool.h"
#include "core/pod/pod_maker.h"
#include "core/pod/quiet.h"

namespace appshot {

class PodPool {
 public:
  PodPool(const PodMaker& maker, Quiet& quiet) : maker_(maker), quiet_(quiet) {}

  void start();
  // Unmakes every pod in it and waits for those that are on their way out.
  void close();

  void configure(const std::vector<in_addr>& addresses, size_t ready);
  // A pod that a former keeper made.
  void adopt(const Pod& pod);

  // A ready one, or one made now. Throws Error `no-address`.
  PodPtr take();
  // The pod is unmade in the background; its address and number are free afterwards.
  void giveBack(PodPtr pod);
  // See AddressPool.
  void hold(const HeldAddress& held);
  void endHold(const std::string& image);
  void endHoldsBut(const std::vector<in_addr>& these);
  std::vector<HeldAddress> held();
  // The pod gets this address instead of its own, if nobody else has it. What is inside has to take it.
  bool readdress(Pod& pod, in_addr address);
  size_t ready() const;
  // Whether pods may have this address by now.
  bool mayHold(in_addr address) const;
  // Waits until every pod that was given back is gone.
  void drain();

 private:
  void run();
  // Lets those who are in a hurry go first, unless somebody is waiting for what the thread does.
  void giveWay();
  PodPtr makeOne();
  PodPtr tryMakeOne();
  void unmake(Pod& pod);
  unsigned nextNumber();
  bool wantsMore() const;

  const PodMaker& maker_;
  Quiet& quiet_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  AddressPool addresses_;
  std::set<unsigned> numbers_;
  unsigned lastNumber_ = 0;
  std::deque<PodPtr> ready_;
  std::deque<PodPtr> leaving_;
  size_t unmaking_ = 0;
  int draining_ = 0;
  size_t wanted_ = 0;
  // After a failure the thread waits for the next change instead of trying again and again.
  bool resting_ = false;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace appshot
