#include <fcntl.h>
#include <unistd.h>

#include <cstring>

#include "core/image/codec.h"
#include "core/image/image.h"
#include "core/image/records.h"
#include "core/image/template_records.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

void appendRecord(std::string& to, RecordType type, const std::string& name, const std::string& content) {
  RecordHeader header{type, static_cast<uint32_t>(name.size()), content.size(), crc32c(content.data(), content.size(), crc32c(name.data(), name.size())), 0};
  header.headerSum = headerSum(header);
  to.append(reinterpret_cast<const char*>(&header), sizeof header);
  to += name;
  to += content;
  to.append((8 - to.size() % 8) % 8, '\0');
}

template <typename Number>
std::string asBytes(const std::vector<Number>& numbers) {
  return std::string(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(Number));
}

// Size of the base and of what comes first in it, then its checksums.
std::string encodeBase(const PageBase& base) { return asBytes(std::vector<uint64_t>{base.bytes, base.firstBytes}) + asBytes(base.sums); }

std::string nameOf(const PageSegment& segment) {
  return std::to_string(segment.from) + "-" + std::to_string(segment.firstTo) + "-" + std::to_string(segment.to);
}

}  // namespace

void writeImageFile(const std::string& directory, const State& state, const std::string& meta, const PageTables& pages) {
  FileHeader header{};
  std::memcpy(header.magic, kImageMagic, sizeof kImageMagic);
  header.version = kImageVersion;
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  appendRecord(bytes, kMeta, "meta", meta);
  appendRecord(bytes, kCommon, "common", encodeCommon(state));
  for (const Process& process : state.processes) appendRecord(bytes, kProcess, std::to_string(process.pid), encodeProcess(process));
  for (const Rule& rule : state.rules) appendRecord(bytes, static_cast<RecordType>(kRuleRecord), rule.subject, encodeRule(rule));
  for (const ClassifiedResource& resource : state.resources)
    appendRecord(bytes, static_cast<RecordType>(kResourceRecord), resource.identity, encodeResource(resource));
  if (pages.base.bytes) appendRecord(bytes, kBase, pages.base.name, encodeBase(pages.base));
  for (const PageSegment& segment : pages.segments) appendRecord(bytes, kPages, nameOf(segment), asBytes(segment.sums));
  if (!pages.frames.empty()) appendRecord(bytes, kCompressed, "zstd", asBytes(pages.frames));
  appendRecord(bytes, kEnd, "", "");
  std::string path = directory + "/image.bin";
  UniqueFd fd = sysFd("create " + path, [&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600); });
  writeAll(fd.get(), bytes.data(), bytes.size(), "write " + path);
}

void syncImage(const std::string& directory) {
  bool isSmall = ::access((directory + "/pages.zst").c_str(), F_OK) == 0;
  for (const std::string& path : {directory + (isSmall ? "/pages.zst" : "/pages.bin"), directory + "/image.bin", directory}) {
    UniqueFd fd = sysFd("open " + path, [&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
    sys("sync " + path, [&] { return ::fsync(fd.get()); });
  }
}

}  // namespace appshot
