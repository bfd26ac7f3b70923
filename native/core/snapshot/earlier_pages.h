// What the image that an instance came from has of its pages already: its base, and what was written since.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/image/image.h"

namespace appshot {

class EarlierPages {
 public:
  // `image`: the one that the instance came from; its base is the new one's too where it is a delta itself. `withDelta`: its pages.bin is
  // the new one's, too.
  EarlierPages(std::shared_ptr<const Image> image, bool withDelta);

  const PageBase& base() const { return base_; }
  bool isWithDelta() const { return withDelta_; }
  // A descriptor of the file in which a position stands.
  int fdOf(uint64_t position) const { return position < base_.bytes ? image_->baseForDeltaFd() : image_->pagesFd(); }
  // What of it the new image can refer to, of the process with this virtual pid, by address.
  const std::vector<PageRun>& runsOf(int32_t vpid) const;
  // Segments of its pages.bin in which a page of `state` stands.
  std::vector<PageSegment> segmentsUsedBy(const State& state) const;

 private:
  std::shared_ptr<const Image> image_;
  bool withDelta_;
  PageBase base_;
  std::map<int32_t, std::vector<PageRun>> runs_;
};

// Which earlier pages a new image in `directory` can have, linked into it. None where there are none, or the image has just been replaced.
// `file`: to append to, where the new image shares the page file of a delta.
struct LinkedPages {
  std::optional<EarlierPages> earlier;
  UniqueFd file;
};
LinkedPages linkEarlierPages(const std::shared_ptr<const Image>& image, const std::string& directory, bool mayAppend);

}  // namespace appshot
