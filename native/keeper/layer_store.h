// Layers of the file views: DIR/layers/<id>/{root,cwd}, one tree each for the whole view and for the application's directory
// where that has an overlay of its own. A layer is written by at most one running instance, and never again once an image
// refers to it. Counted: a layer goes when nobody refers to it any more.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "keeper/janitor.h"

namespace appshot {

class LayerStore {
 public:
  LayerStore(std::string directory, Janitor& janitor) : directory_(std::move(directory)), janitor_(janitor) {}

  void start();
  // Removes layers that nobody has retained; for the start, when everything that is there has been looked through.
  void sweep();

  // An empty layer with one reference.
  std::string create();
  // Fills an empty layer with a copy of one whose instance stands still. Throws Error `disk-full`.
  void copyInto(const std::string& from, const std::string& to);
  // One layer, with one reference, that reads as the given ones on top of each other (uppermost first). They must be in no
  // instance's hands: files are shared with them.
  std::string merge(const std::vector<std::string>& ids);
  // Everything in it is on the disk on return.
  void sync(const std::string& id) const;
  uint64_t bytes(const std::string& id) const;

  void retain(const std::vector<std::string>& ids);
  void release(const std::vector<std::string>& ids);

  std::string rootOf(const std::string& id) const { return directory_ + "/" + id + "/root"; }
  std::string cwdOf(const std::string& id) const { return directory_ + "/" + id + "/cwd"; }

 private:
  std::string directory_;
  Janitor& janitor_;
  std::mutex mutex_;
  std::map<std::string, int> references_;
  unsigned made_ = 0;
};

}  // namespace appshot
