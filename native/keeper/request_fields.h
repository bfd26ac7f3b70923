// Reads the fields of a request, each with its type; what is left unread at the end was not known and is refused.
#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "core/sys/error.h"

namespace appshot {

using Json = nlohmann::json;

class RequestFields {
 public:
  // `what`: how messages call the object ("launch").
  RequestFields(const Json& object, std::string what);

  std::string text(const char* name);
  std::string text(const char* name, const std::string& otherwise);
  bool flag(const char* name, bool otherwise);
  // Throws unless it is a whole number from `least` to `most`.
  int64_t number(const char* name, int64_t least, int64_t most, int64_t otherwise);
  double real(const char* name, double least, double most, double otherwise);
  std::vector<std::string> texts(const char* name);
  bool has(const char* name) const;
  // Any value; null when it is not there.
  const Json& any(const char* name);

  // Refuses what nobody asked for.
  void done() const;

 private:
  const Json* find(const char* name);
  [[noreturn]] void refuse(const char* name, const std::string& wanted) const;

  const Json& object_;
  std::string what_;
  std::set<std::string> read_;
};

// An instance's or image's name: becomes a host name and a file name. Throws Error `bad-request`.
void checkName(const std::string& name, const char* what);

}  // namespace appshot
