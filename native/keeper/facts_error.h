// An Error with facts for programs: they travel to the caller as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "core/sys/error.h"

namespace appshot {

class FactsError : public Error {
 public:
  FactsError(std::string code, std::string message, nlohmann::json facts)
      : Error(std::move(code), std::move(message)), facts_(std::move(facts)) {}

  const nlohmann::json& facts() const { return facts_; }

 private:
  nlohmann::json facts_;
};

}  // namespace appshot
