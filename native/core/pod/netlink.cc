#include "core/pod/netlink.h"

#include <sys/socket.h>

#include <cstring>

#include "core/sys/sys.h"

namespace appshot {

NetlinkMessage::NetlinkMessage(uint16_t type, uint16_t flags) {
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  append(&header, sizeof header);
}

NetlinkMessage& NetlinkMessage::append(const void* value, size_t bytes) {
  auto* from = static_cast<const char*>(value);
  bytes_.insert(bytes_.end(), from, from + bytes);
  bytes_.resize(NLMSG_ALIGN(bytes_.size()));
  return *this;
}

NetlinkMessage& NetlinkMessage::attribute(uint16_t type, const void* value, size_t bytes) {
  rtattr header{};
  header.rta_type = type;
  header.rta_len = static_cast<uint16_t>(RTA_LENGTH(bytes));
  append(&header, sizeof header);
  return append(value, bytes);
}

NetlinkMessage& NetlinkMessage::attribute(uint16_t type, std::string_view text) {
  std::string copy(text);
  return attribute(type, copy.c_str(), copy.size() + 1);
}

NetlinkMessage& NetlinkMessage::nested(uint16_t type, const std::function<void(NetlinkMessage&)>& content) {
  size_t start = bytes_.size();
  rtattr header{};
  header.rta_type = type;
  append(&header, sizeof header);
  content(*this);
  header.rta_len = static_cast<uint16_t>(bytes_.size() - start);
  std::memcpy(bytes_.data() + start, &header, sizeof header);
  return *this;
}

const std::vector<char>& NetlinkMessage::finish(uint32_t sequence) {
  nlmsghdr header;
  std::memcpy(&header, bytes_.data(), sizeof header);
  header.nlmsg_len = static_cast<uint32_t>(bytes_.size());
  header.nlmsg_seq = sequence;
  std::memcpy(bytes_.data(), &header, sizeof header);
  return bytes_;
}

NetlinkSocket NetlinkSocket::open() {
  NetlinkSocket socket;
  socket.fd_ = sysFd("open netlink socket", [] { return ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE); });
  return socket;
}

int NetlinkSocket::tryRequest(NetlinkMessage message, const std::string& step) {
  uint32_t sequence = ++sequence_;
  const auto& bytes = message.finish(sequence);
  sys(step, [&] { return ::send(fd_.get(), bytes.data(), bytes.size(), 0); });
  alignas(nlmsghdr) char buffer[8192];
  for (;;) {
    auto got = static_cast<size_t>(sys(step, [&] { return ::recv(fd_.get(), buffer, sizeof buffer, 0); }));
    for (auto* header = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(header, got); header = NLMSG_NEXT(header, got)) {
      if (header->nlmsg_type == NLMSG_ERROR && header->nlmsg_seq == sequence) {
        return -static_cast<nlmsgerr*>(NLMSG_DATA(header))->error;
      }
    }
  }
}

void NetlinkSocket::request(NetlinkMessage message, const std::string& step) {
  if (int err = tryRequest(std::move(message), step); err != 0) throwErrno(step, err);
}

void NetlinkSocket::dump(NetlinkMessage message, const std::string& step, const std::function<void(nlmsghdr*)>& onMessage) {
  const auto& bytes = message.finish(++sequence_);
  sys(step, [&] { return ::send(fd_.get(), bytes.data(), bytes.size(), 0); });
  std::vector<char> buffer(1 << 16);
  for (;;) {
    auto got = static_cast<size_t>(sys(step, [&] { return ::recv(fd_.get(), buffer.data(), buffer.size(), 0); }));
    for (auto* header = reinterpret_cast<nlmsghdr*>(buffer.data()); NLMSG_OK(header, got); header = NLMSG_NEXT(header, got)) {
      if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR) return;
      onMessage(header);
    }
  }
}

void NetlinkSocket::links(const std::function<void(int, const std::string&)>& onLink) {
  NetlinkMessage message(RTM_GETLINK, NLM_F_DUMP);
  message.header(ifinfomsg{});
  dump(std::move(message), "list interfaces", [&](nlmsghdr* header) {
    auto* link = static_cast<ifinfomsg*>(NLMSG_DATA(header));
    size_t left = IFLA_PAYLOAD(header);
    for (auto* attribute = IFLA_RTA(link); RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
      if (attribute->rta_type == IFLA_IFNAME) onLink(link->ifi_index, static_cast<const char*>(RTA_DATA(attribute)));
    }
  });
}

void NetlinkSocket::unreachables(uint32_t metric, const std::function<void(in_addr)>& onAddress) {
  NetlinkMessage message(RTM_GETROUTE, NLM_F_DUMP);
  rtmsg wanted{};
  wanted.rtm_family = AF_INET;
  message.header(wanted);
  dump(std::move(message), "list routes", [&](nlmsghdr* header) {
    auto* route = static_cast<rtmsg*>(NLMSG_DATA(header));
    if (route->rtm_type != RTN_UNREACHABLE || route->rtm_dst_len != 32) return;
    in_addr address{};
    uint32_t found = 0;
    size_t left = RTM_PAYLOAD(header);
    for (auto* attribute = RTM_RTA(route); RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
      if (attribute->rta_type == RTA_DST) std::memcpy(&address, RTA_DATA(attribute), sizeof address);
      if (attribute->rta_type == RTA_PRIORITY) std::memcpy(&found, RTA_DATA(attribute), sizeof found);
    }
    if (found == metric) onAddress(address);
  });
}

}  // namespace appshot
