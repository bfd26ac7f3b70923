#include "keeper/request_fields.h"

#include <cctype>

namespace appshot {

namespace {

std::string plainText(const Json& value) {
  auto text = value.get<std::string>();
  // Everything ends as a C string or a line of a file.
  if (text.find('\0') != std::string::npos) throw Error("bad-request", "a text has a zero byte in it");
  return text;
}

}  // namespace

RequestFields::RequestFields(const Json& object, std::string what) : object_(object), what_(std::move(what)) {
  if (!object.is_object()) throw Error("bad-request", what_ + ": an object is needed");
}

void RequestFields::refuse(const char* name, const std::string& wanted) const {
  throw Error("bad-request", what_ + ": '" + name + "' has to be " + wanted);
}

const Json* RequestFields::find(const char* name) {
  read_.insert(name);
  auto found = object_.find(name);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

bool RequestFields::has(const char* name) const {
  auto found = object_.find(name);
  return found != object_.end() && !found->is_null();
}

const Json& RequestFields::any(const char* name) {
  static const Json null;
  const Json* value = find(name);
  return value == nullptr ? null : *value;
}

std::string RequestFields::text(const char* name) {
  const Json* value = find(name);
  if (value == nullptr || !value->is_string()) refuse(name, "a text");
  return plainText(*value);
}

std::string RequestFields::text(const char* name, const std::string& otherwise) { return has(name) ? text(name) : (find(name), otherwise); }

bool RequestFields::flag(const char* name, bool otherwise) {
  const Json* value = find(name);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) refuse(name, "true or false");
  return value->get<bool>();
}

int64_t RequestFields::number(const char* name, int64_t least, int64_t most, int64_t otherwise) {
  const Json* value = find(name);
  if (value == nullptr) return otherwise;
  std::string wanted = "a whole number from " + std::to_string(least) + " to " + std::to_string(most);
  if (!value->is_number_integer()) refuse(name, wanted);
  if (value->is_number_unsigned() && value->get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) refuse(name, wanted);
  auto number = value->get<int64_t>();
  if (number < least || number > most) refuse(name, wanted);
  return number;
}

double RequestFields::real(const char* name, double least, double most, double otherwise) {
  const Json* value = find(name);
  if (value == nullptr) return otherwise;
  if (!value->is_number() || value->get<double>() < least || value->get<double>() > most) {
    refuse(name, "a number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return value->get<double>();
}

std::vector<std::string> RequestFields::texts(const char* name) {
  const Json* value = find(name);
  std::vector<std::string> texts;
  if (value == nullptr) return texts;
  if (!value->is_array()) refuse(name, "a list of texts");
  for (const auto& entry : *value) {
    if (!entry.is_string()) refuse(name, "a list of texts");
    texts.push_back(plainText(entry));
  }
  return texts;
}

void RequestFields::done() const {
  for (const auto& [name, value] : object_.items()) {
    if (!read_.count(name)) throw Error("bad-request", what_ + ": '" + name.substr(0, 100) + "' is not known");
  }
}

void checkName(const std::string& name, const char* what) {
  bool good = !name.empty() && name.size() <= 63 && std::isalnum(static_cast<unsigned char>(name[0]));
  for (unsigned char c : name) good = good && c < 128 && (std::isalnum(c) || c == '.' || c == '_' || c == '-');
  if (!good) {
    throw Error("bad-request", "'" + name.substr(0, 100) + "' is no " + what + ": 1 to 63 letters, digits, '.', '_' and '-', the first a letter or digit");
  }
}

}  // namespace appshot
