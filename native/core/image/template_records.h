// The records of an image that make a template of it: rules, unevaluated, and the class of each resource.
#pragma once

#include <string>
#include <vector>

#include "core/template/resource.h"
#include "core/template/rule.h"

namespace appshot {

// Types of records, beside those of image.cc.
constexpr uint32_t kRuleRecord = 16, kResourceRecord = 17;

std::string encodeRule(const Rule& rule);
// Throws Error `image-invalid`.
Rule decodeRule(const std::string& bytes);

// 24 bytes: size, type, class, reason, line. The record's name is the resource's identity.
std::string encodeResource(const ClassifiedResource& resource);
// Throws Error `image-invalid`.
ClassifiedResource decodeResource(const std::string& identity, const std::string& bytes);

}  // namespace appshot
