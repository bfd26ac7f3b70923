#include "core/image/template_records.h"

#include <cstring>

#include "core/sys/error.h"

namespace appshot {

namespace {

constexpr size_t kLongestText = 1 << 16;

void putText(std::string& to, const std::string& text) {
  auto bytes = static_cast<uint32_t>(text.size());
  to.append(reinterpret_cast<const char*>(&bytes), sizeof bytes);
  to += text;
}

void putNumber(std::string& to, uint32_t number) { to.append(reinterpret_cast<const char*>(&number), sizeof number); }

class Reader {
 public:
  explicit Reader(const std::string& bytes) : bytes_(bytes) {}
  uint32_t number() {
    uint32_t number = 0;
    if (bytes_.size() - at_ < sizeof number) throw Error("image-invalid", "a rule's record ends in the middle");
    std::memcpy(&number, bytes_.data() + at_, sizeof number);
    at_ += sizeof number;
    return number;
  }
  std::string text() {
    uint32_t size = number();
    if (size > kLongestText || size > bytes_.size() - at_) throw Error("image-invalid", "a rule's record ends in the middle");
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }
  bool atEnd() const { return at_ == bytes_.size(); }

 private:
  const std::string& bytes_;
  size_t at_ = 0;
};

struct PackedResource {
  uint64_t size;
  uint32_t type, cloneClass, reason, line;
};
static_assert(sizeof(PackedResource) == 24);

}  // namespace

std::string encodeRule(const Rule& rule) {
  std::string bytes;
  putNumber(bytes, rule.kind);
  putNumber(bytes, rule.line);
  putNumber(bytes, rule.hasQualifier);
  putText(bytes, rule.subject);
  putText(bytes, rule.value);
  putText(bytes, rule.qualifier);
  return bytes;
}

Rule decodeRule(const std::string& bytes) {
  Reader reader(bytes);
  Rule rule;
  rule.kind = reader.number();
  rule.line = reader.number();
  uint32_t hasQualifier = reader.number();
  rule.subject = reader.text();
  rule.value = reader.text();
  rule.qualifier = reader.text();
  rule.hasQualifier = hasQualifier == 1;
  bool isPath = rule.is(RuleKind::Redirect);
  bool good = reader.atEnd() && rule.kind <= static_cast<uint32_t>(RuleKind::Override) && hasQualifier <= 1 && !rule.subject.empty() &&
              (rule.subject + rule.value + rule.qualifier).find('\0') == std::string::npos && (!isPath || (rule.subject[0] == '/' && rule.value[0] == '/'));
  if (!good) throw Error("image-invalid", "a rule's record is broken");
  return rule;
}

std::string encodeResource(const ClassifiedResource& resource) {
  PackedResource packed{resource.size, static_cast<uint32_t>(resource.type), static_cast<uint32_t>(resource.cloneClass), static_cast<uint32_t>(resource.reason), resource.line};
  return std::string(reinterpret_cast<const char*>(&packed), sizeof packed);
}

ClassifiedResource decodeResource(const std::string& identity, const std::string& bytes) {
  PackedResource packed{};
  if (bytes.size() != sizeof packed) throw Error("image-invalid", "the record of a resource's class has a wrong size");
  std::memcpy(&packed, bytes.data(), sizeof packed);
  bool good = packed.type <= static_cast<uint32_t>(ResourceType::Last) && packed.cloneClass <= static_cast<uint32_t>(CloneClass::Last) &&
              packed.reason <= static_cast<uint32_t>(ClassReason::Last);
  if (!good) throw Error("image-invalid", "the class of the resource '" + identity.substr(0, 200) + "' is not known");
  return {static_cast<ResourceType>(packed.type), identity, packed.size, static_cast<CloneClass>(packed.cloneClass), static_cast<ClassReason>(packed.reason), packed.line};
}

}  // namespace appshot
