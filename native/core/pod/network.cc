#include "core/pod/network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/stat.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "core/pod/netlink.h"
#include "core/pod/owner.h"
#include "core/pod/packet_filter.h"
#include "core/pod/pod.h"
#include "core/pod/thread_namespace.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr const char* kGateway = "169.254.1.1";
constexpr const char* kMulticast = "224.0.0.0";  // /4
// Behind every other route, so that a pod's own /32 wins while there is one. Each owner has its own, for routes that differ in
// nothing are one route.
constexpr uint32_t kLastResortMetric = 0xff000000;
// linux/if_link.h and linux/in6.h; spelled out because old headers lack the enumeration.
constexpr uint8_t kAddrGenModeNone = 1;

using Mac = std::array<uint8_t, 6>;

// Locally administered; unique because the address is.
Mac macOf(uint8_t side, in_addr address) {
  Mac mac{side, 0xa5};
  std::memcpy(mac.data() + 2, &address.s_addr, 4);
  return mac;
}
constexpr uint8_t kNodeSide = 0x06, kPodSide = 0x02;

bool hasIpv6() {
  struct stat st;
  return ::stat("/proc/net/if_inet6", &st) == 0;
}

void describeLink(NetlinkMessage& link, const std::string& name, const Mac& mac) {
  link.attribute(IFLA_IFNAME, name).attribute(IFLA_ADDRESS, mac.data(), mac.size());
  link.attribute(IFLA_NUM_TX_QUEUES, 1u).attribute(IFLA_NUM_RX_QUEUES, 1u);
}

NetlinkMessage linkMessage(const std::string& name, pid_t init, in_addr address) {
  NetlinkMessage message(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
  // Both sides come up later: neither can before it knows the other.
  ifinfomsg down{};
  message.header(down);
  describeLink(message, name, macOf(kNodeSide, address));
  message.nested(IFLA_LINKINFO, [&](NetlinkMessage& info) {
    info.attribute(IFLA_INFO_KIND, "veth");
    info.nested(IFLA_INFO_DATA, [&](NetlinkMessage& veth) {
      veth.nested(VETH_INFO_PEER, [&](NetlinkMessage& peer) {
        peer.append(&down, sizeof down);
        describeLink(peer, "eth0", macOf(kPodSide, address));
        peer.attribute(IFLA_NET_NS_PID, static_cast<uint32_t>(init));
      });
    });
  });
  return message;
}

// kNoAddress: without one of its own, for which it would look for neighbours.
enum class Ipv6 { kAsItIs, kNoAddress };

NetlinkMessage upMessage(int link, Ipv6 ipv6) {
  NetlinkMessage message(RTM_NEWLINK, NLM_F_ACK);
  ifinfomsg up{};
  up.ifi_index = link;
  up.ifi_flags = up.ifi_change = IFF_UP;
  message.header(up);
  if (ipv6 == Ipv6::kNoAddress && hasIpv6()) {
    message.nested(IFLA_AF_SPEC, [](NetlinkMessage& families) {
      families.nested(AF_INET6, [](NetlinkMessage& v6) { v6.attribute(IFLA_INET6_ADDR_GEN_MODE, &kAddrGenModeNone, 1); });
    });
  }
  return message;
}

NetlinkMessage addressMessage(int link, in_addr address) {
  NetlinkMessage message(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
  ifaddrmsg header{};
  header.ifa_family = AF_INET;
  header.ifa_prefixlen = 32;
  header.ifa_scope = address.s_addr == addressOf(kGateway).s_addr ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  header.ifa_index = static_cast<uint32_t>(link);
  return message.header(header).attribute(IFA_LOCAL, address).attribute(IFA_ADDRESS, address);
}

NetlinkMessage neighbourMessage(int link, in_addr address, const Mac& mac) {
  NetlinkMessage message(RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
  ndmsg header{};
  header.ndm_family = AF_INET;
  header.ndm_ifindex = link;
  header.ndm_state = NUD_PERMANENT;
  return message.header(header).attribute(NDA_DST, address).attribute(NDA_LLADDR, mac.data(), mac.size());
}

// To one address, or (bits 0) the default route.
struct RouteTo {
  in_addr address{};
  uint8_t bits = 32;
  uint8_t type = RTN_UNICAST;
  uint8_t scope = RT_SCOPE_LINK;
};

NetlinkMessage routeMessage(const RouteTo& to, uint16_t type = RTM_NEWROUTE, uint16_t flags = NLM_F_CREATE | NLM_F_REPLACE) {
  NetlinkMessage message(type, static_cast<uint16_t>(NLM_F_ACK | flags));
  rtmsg header{};
  header.rtm_family = AF_INET;
  header.rtm_dst_len = to.bits;
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = RTPROT_STATIC;
  header.rtm_scope = to.scope;
  header.rtm_type = to.type;
  message.header(header);
  if (to.bits > 0) message.attribute(RTA_DST, to.address);
  return message;
}

NetlinkMessage podRouteMessage(int link, in_addr address, uint16_t type, uint16_t flags) {
  NetlinkMessage message = routeMessage({address, 32, RTN_UNICAST, RT_SCOPE_LINK}, type, flags);
  message.attribute(RTA_OIF, static_cast<uint32_t>(link)).attribute(RTA_PREFSRC, addressOf(kGateway));
  return message;
}

uint32_t metricOf(const std::string& owner) { return kLastResortMetric | static_cast<uint32_t>(std::strtoul(owner.c_str(), nullptr, 16) & 0xffffff); }

NetlinkMessage unreachableMessage(const std::string& owner, in_addr address, uint16_t type, uint16_t flags) {
  RouteTo to{address, 32, RTN_UNREACHABLE, RT_SCOPE_UNIVERSE};
  return routeMessage(to, type, flags).attribute(RTA_PRIORITY, metricOf(owner));
}

// For interfaces that exist already, and those to come. Without `directory`, or what it has to have: nothing.
void setInPod(int directory, const char* path, const char* value) {
  UniqueFd fd(::openat(directory, path, O_WRONLY | O_CLOEXEC));
  if (fd.valid() && ::write(fd.get(), value, std::strlen(value)) < 0) throwErrno(std::string("set ") + path, errno);
}

void configurePodSide(in_addr address) {
  auto socket = NetlinkSocket::open();
  int loopback = static_cast<int>(if_nametoindex("lo"));
  int eth0 = static_cast<int>(if_nametoindex("eth0"));
  // A program that listens on "::" still gets IPv4 connections; there is only no IPv6 address to reach anything by. The directory is
  // looked for once: in the one above it, the kernel compares with those of all other pods.
  UniqueFd ipv6(::open("/proc/sys/net/ipv6/conf", O_PATH | O_DIRECTORY | O_CLOEXEC));
  setInPod(ipv6.get(), "all/disable_ipv6", "1");
  setInPod(ipv6.get(), "default/disable_ipv6", "1");
  // Programs that listen on 80 or 443 are started as root elsewhere; here nobody else has these ports.
  setInPod(AT_FDCWD, "/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
  socket.request(upMessage(loopback, Ipv6::kAsItIs), "pod network: bring lo up");
  socket.request(upMessage(eth0, Ipv6::kAsItIs), "pod network: bring eth0 up");
  in_addr gateway = addressOf(kGateway);
  socket.request(addressMessage(eth0, address), "pod network: give eth0 its address");
  socket.request(neighbourMessage(eth0, gateway, macOf(kNodeSide, address)), "pod network: add the node as a neighbour");
  auto index = static_cast<uint32_t>(eth0);
  socket.request(std::move(routeMessage({gateway, 32, RTN_UNICAST, RT_SCOPE_LINK}).attribute(RTA_OIF, index)), "pod network: route to the node");
  // Who joins a group without saying where has to have a way to it, as with any network; what he sends ends at the node.
  socket.request(std::move(routeMessage({addressOf(kMulticast), 4, RTN_UNICAST, RT_SCOPE_LINK}).attribute(RTA_OIF, index)), "pod network: route to groups");
}

// Where there is none, connecting to the world fails at once, rather than after the minutes that a dropped packet takes.
void addDefaultRoute() {
  auto index = static_cast<uint32_t>(if_nametoindex("eth0"));
  auto message = routeMessage({{}, 0, RTN_UNICAST, RT_SCOPE_UNIVERSE});
  message.attribute(RTA_OIF, index).attribute(RTA_GATEWAY, addressOf(kGateway));
  NetlinkSocket::open().request(std::move(message), "pod network: default route");
}

}  // namespace

std::string textOf(in_addr address) {
  char text[INET_ADDRSTRLEN];
  return ::inet_ntop(AF_INET, &address, text, sizeof text);
}

in_addr addressOf(const std::string& text) {
  in_addr address{};
  if (::inet_pton(AF_INET, text.c_str(), &address) != 1) throw Error("bad-request", "'" + text + "' is not an IPv4 address");
  return address;
}

void NodeNetwork::start() {
  installPacketFilter(owner_, false);
  // One that was killed has left what it had reserved: gone with the next reserve(), if nobody wants it any more.
  NetlinkSocket::open().unreachables(metricOf(owner_), [&](in_addr address) { reserved_.insert(address.s_addr); });
}

void NodeNetwork::openOutward() {
  std::lock_guard lock(outward_);
  if (!isOpenOutward_) installPacketFilter(owner_, true);
  isOpenOutward_ = true;
}

void NodeNetwork::letOut(const Pod& pod) {
  openOutward();
  InNamespaces inPod(pod.initPidfd.get(), CLONE_NEWNET);
  addDefaultRoute();
}

void NodeNetwork::reserve(const std::vector<in_addr>& addresses) {
  auto socket = NetlinkSocket::open();
  std::set<uint32_t> wanted;
  for (in_addr address : addresses) wanted.insert(address.s_addr);
  for (uint32_t old : reserved_) {
    if (!wanted.count(old)) socket.tryRequest(unreachableMessage(owner_, {old}, RTM_DELROUTE, 0), "remove route");
  }
  for (uint32_t address : wanted) {
    if (reserved_.count(address)) continue;
    socket.request(unreachableMessage(owner_, {address}, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE), "reserve " + textOf({address}));
  }
  reserved_ = std::move(wanted);
}

void NodeNetwork::connectPod(unsigned number, pid_t init, int initPidfd, in_addr address) const {
  auto socket = NetlinkSocket::open();
  std::string name = linkNameOf(owner_, number);
  socket.request(linkMessage(name, init, address), "make interface " + name);
  int link = static_cast<int>(if_nametoindex(name.c_str()));
  in_addr gateway = addressOf(kGateway);
  socket.request(upMessage(link, Ipv6::kNoAddress), "bring " + name + " up");
  // The node answers under the same address on every pair: an instance sees the same peer wherever it wakes.
  socket.request(addressMessage(link, gateway), "give " + name + " its address");
  socket.request(neighbourMessage(link, address, macOf(kPodSide, address)), "add " + textOf(address) + " as a neighbour");
  socket.request(podRouteMessage(link, address, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL), "route to " + textOf(address));
  InNamespaces inPod(initPidfd, CLONE_NEWNET);
  configurePodSide(address);
}

void NodeNetwork::silencePod(unsigned number, in_addr address, bool silent) const {
  int link = static_cast<int>(if_nametoindex(linkNameOf(owner_, number).c_str()));
  auto socket = NetlinkSocket::open();
  // Behind it is the route that says unreachable.
  if (silent) socket.request(podRouteMessage(link, address, RTM_DELROUTE, 0), "take away the route to " + textOf(address));
  else socket.request(podRouteMessage(link, address, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE), "route to " + textOf(address));
}

void NodeNetwork::readdressPod(const Pod& pod, in_addr address) const {
  int link = static_cast<int>(if_nametoindex(linkNameOf(owner_, pod.number).c_str()));
  auto socket = NetlinkSocket::open();
  socket.request(neighbourMessage(link, address, macOf(kPodSide, pod.farmIp)), "add " + textOf(address) + " as a neighbour");
  socket.request(podRouteMessage(link, address, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL), "route to " + textOf(address));
  socket.request(podRouteMessage(link, pod.farmIp, RTM_DELROUTE, 0), "take away the route to " + textOf(pod.farmIp));
}

void NodeNetwork::disconnectPod(unsigned number) const {
  std::string name = linkNameOf(owner_, number);
  int index = static_cast<int>(if_nametoindex(name.c_str()));
  if (index == 0) return;
  NetlinkMessage message(RTM_DELLINK, NLM_F_ACK);
  ifinfomsg header{};
  header.ifi_index = index;
  // ENODEV: the pod's namespace went first and took the pair with it.
  NetlinkSocket::open().tryRequest(std::move(message.header(header)), "remove interface " + name);
}

std::vector<unsigned> NodeNetwork::numbers() const {
  std::vector<unsigned> found;
  std::string prefix = linkPrefixOf(owner_);
  NetlinkSocket::open().links([&](int, const std::string& name) {
    if (name.rfind(prefix, 0) == 0) found.push_back(static_cast<unsigned>(std::strtoul(name.c_str() + prefix.size(), nullptr, 10)));
  });
  return found;
}

void NodeNetwork::close() {
  reserve({});
  removePacketFilter(owner_);
}

}  // namespace appshot
