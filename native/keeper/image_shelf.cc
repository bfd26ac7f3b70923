#include "keeper/image_shelf.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/sys/sys.h"
#include "keeper/state_file.h"

namespace appshot {

using Json = nlohmann::json;

namespace {

// What tells a file from another one, and from itself before somebody wrote to it. (Its change time would not do: pages.bin is
// linked into deltas.)
std::string identityOf(const std::string& path) {
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) return path + " is not there";
  return std::to_string(st.st_dev) + ":" + std::to_string(st.st_ino) + ":" + std::to_string(st.st_size) + ":" +
         std::to_string(st.st_mtim.tv_sec) + "." + std::to_string(st.st_mtim.tv_nsec);
}

// What a page file takes that no other image has any more. (A delta's begins with a hole.)
uint64_t bytesIfLast(const std::string& path) {
  struct stat st {};
  bool isLast = ::stat(path.c_str(), &st) == 0 && st.st_nlink == 1;
  return isLast ? std::min<uint64_t>(st.st_size, st.st_blocks * 512) : 0;
}

void syncDirectory(const std::string& path) {
  UniqueFd fd = sysFd("open " + path, [&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  sys("sync " + path, [&] { return ::fsync(fd.get()); });
}

}  // namespace

std::vector<std::string> imagesIn(const Places& places) {
  std::vector<std::string> ids;
  for (auto& id : listDirectory(places.images())) {
    if (id[0] != '.') ids.push_back(std::move(id));
  }
  return ids;
}

ImageNote noteOfImage(const Places& places, const std::string& id) {
  try {
    Json json = Json::parse(readFile(places.image(id) + "/keeper.json"));
    ImageNote note{json.at("layers").get<std::vector<std::string>>(), json.at("bytes").get<uint64_t>(), json.at("pageBytes").get<uint64_t>(),
                   json.at("token").get<std::string>()};
    // Pages count for the image that had them first, and for the last one when that is gone.
    note.bytes += bytesIfLast(places.image(id) + "/base.bin");
    note.bytes += std::max(bytesIfLast(places.image(id) + "/pages.bin"), note.pageBytes) - note.pageBytes;
    return note;
  } catch (const std::exception&) {
    return {};
  }
}

bool hasImageOfToken(const Places& places, const std::string& token) {
  if (token.empty()) return false;
  for (const auto& id : imagesIn(places)) {
    if (noteOfImage(places, id).token == token) return true;
  }
  return false;
}

void writeNote(const std::string& directory, const ImageNote& note) {
  replaceFile(directory + "/keeper.json", Json{{"layers", note.layers}, {"bytes", note.bytes}, {"pageBytes", note.pageBytes}, {"token", note.token}}.dump(), true);
  syncDirectory(directory);
}

void publishImage(const Places& places, const std::string& directory, const std::string& id) {
  std::string place = places.image(id);
  bool replaces = ::access(place.c_str(), F_OK) == 0;
  sys("put image " + id + " into its place", [&] {
    return ::renameat2(AT_FDCWD, directory.c_str(), AT_FDCWD, place.c_str(), replaces ? RENAME_EXCHANGE : RENAME_NOREPLACE);
  });
  syncDirectory(places.images());
}

std::shared_ptr<Image> OpenImages::open(const std::string& id) {
  std::string directory = places_.image(id);
  if (::access(directory.c_str(), F_OK) != 0) throw Error("not-found", "there is no image " + id);
  std::string identity;
  for (const char* file : {"/image.bin", "/pages.bin", "/pages.zst", "/base.bin"}) identity += identityOf(directory + file) + " ";
  {
    std::lock_guard lock(mutex_);
    auto known = images_.find(id);
    if (known != images_.end() && known->second.identity == identity) {
      used(id);
      return known->second.image;
    }
  }
  auto image = openImage(directory);
  std::lock_guard lock(mutex_);
  images_[id] = {identity, image, nullptr, ""};
  used(id);
  return image;
}

std::string OpenImages::workingSetOf(const std::string& id) const { return identityOf(places_.image(id) + "/working-set.bin"); }

void OpenImages::prepareWake(const std::string& id) {
  auto image = open(id);
  std::string workingSet = workingSetOf(id);
  auto wake = std::make_unique<PreparedWake>(image);
  std::lock_guard lock(mutex_);
  auto known = images_.find(id);
  if (known == images_.end() || known->second.image != image) return;
  known->second.wake = std::move(wake);
  known->second.workingSet = workingSet;
}

std::unique_ptr<PreparedWake> OpenImages::takeWake(const std::string& id) {
  auto image = open(id);
  {
    std::lock_guard lock(mutex_);
    auto known = images_.find(id);
    if (known != images_.end() && known->second.wake && known->second.image == image && known->second.workingSet == workingSetOf(id))
      return std::move(known->second.wake);
  }
  return std::make_unique<PreparedWake>(image);
}

// Under the lock.
void OpenImages::used(const std::string& id) {
  constexpr size_t kMostOpen = 64;
  recent_.remove(id);
  recent_.push_front(id);
  if (recent_.size() <= kMostOpen) return;
  images_.erase(recent_.back());
  recent_.pop_back();
}

void OpenImages::drop(const std::string& id) {
  std::lock_guard lock(mutex_);
  recent_.remove(id);
  images_.erase(id);
}

}  // namespace appshot
