// The images of an engine: DIR/images/<id>, each with the core's files and `keeper.json`: which file-system layers it needs, how
// many bytes it takes, and a token that tells it from an earlier image of the same id.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/restore/prepared_wake.h"
#include "core/restore/restore.h"
#include "keeper/places.h"

namespace appshot {

struct ImageNote {
  std::vector<std::string> layers;       // uppermost first
  uint64_t bytes = 0;                    // on disk; of pages that another image has too, only what was written for this one
  uint64_t pageBytes = 0;                // of that, in pages.bin
  std::string token;
};

// Ids of whole images.
std::vector<std::string> imagesIn(const Places& places);
// Empty when it cannot be read: the image then cannot be restored, but it can be removed.
ImageNote noteOfImage(const Places& places, const std::string& id);
bool hasImageOfToken(const Places& places, const std::string& token);

// Writes the note into an image that is not in its place yet.
void writeNote(const std::string& directory, const ImageNote& note);
// Puts a whole image into its place at once, durably. What was there before ends at `directory`.
void publishImage(const Places& places, const std::string& directory, const std::string& id);

// Images that were opened and verified, as long as their files are what they were. Only those that were wanted last: each is some
// hundred kilobytes and a descriptor, and a node may have thousands that sleep.
class OpenImages {
 public:
  explicit OpenImages(const Places& places) : places_(places) {}
  // Throws Error `not-found`, `image-invalid`, `environment-mismatch`.
  std::shared_ptr<Image> open(const std::string& id);
  // Works out ahead what the image's next wake needs. Throws as `open` does, and `unsupported-state`.
  void prepareWake(const std::string& id);
  // What has been worked out, or works it out now. Handed out once: after a wake the image is an old one soon.
  std::unique_ptr<PreparedWake> takeWake(const std::string& id);
  void drop(const std::string& id);

 private:
  struct Entry {
    std::string identity;
    std::shared_ptr<Image> image;
    std::unique_ptr<PreparedWake> wake;
    std::string workingSet;  // identity of the one that `wake` was made with
  };
  std::string workingSetOf(const std::string& id) const;

  void used(const std::string& id);

  const Places& places_;
  std::mutex mutex_;
  std::map<std::string, Entry> images_;
  std::list<std::string> recent_;        // their ids, the last used one first
};

}  // namespace appshot
