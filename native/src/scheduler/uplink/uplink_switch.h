// SPDX-License-Identifier: Apache-2.0
// Hot path: no allocation per frame. The soft switch between the TAP and the instances' uplink ports, a thread of its own.
#pragma once

#include <sys/epoll.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"
#include "scheduler/uplink/uplink_port.h"
#include "scheduler/uplink/vnet_header.h"

namespace junction::scheduler {

struct SwitchOptions {
  UplinkHost host;
  uint32_t mtu_bytes = 1500;
};

/// How a port or the TAP was lost; called on the switch's thread, which must not be blocked.
struct SwitchEvents {
  /// `may_return`: it is worth a try to attach it again.
  std::function<void(const std::string& id, uint64_t serial, const std::string& why, bool may_return)> on_lost_port;
  std::function<void(const std::string& why)> on_lost_tap;
};

/// Passes frames between the TAP and attached instances. Each turn serves each active instance and the TAP for a bounded number of frames. Asleep it
/// is in epoll without a timer. All methods may be called from any thread and do not block.
class UplinkSwitch {
 public:
  static Result<std::unique_ptr<UplinkSwitch>> Start(const SwitchOptions& options, SwitchEvents events);
  UplinkSwitch(const UplinkSwitch&) = delete;
  UplinkSwitch& operator=(const UplinkSwitch&) = delete;
  ~UplinkSwitch();

  /// `tap`: a non-blocking TAP with IFF_VNET_HDR, the switch's own descriptor of it.
  void SetTap(UniqueFd tap);
  void Attach(std::unique_ptr<UplinkPort> port);
  void Detach(const std::string& id);
  void SetAllow(const std::string& id, AllowList allow);

  /// Frames from the TAP that went to no port.
  const PortCounters& tap_counters() const { return tap_counters_; }
  /// Returns from sleep; for tests of idleness.
  uint64_t wakeups() const { return wakeups_.load(std::memory_order_relaxed); }

 private:
  UplinkSwitch(const SwitchOptions& options, SwitchEvents events);

  void Post(std::function<void()> order);
  void Run();
  void OnEvent(uint64_t tag, uint32_t events);
  void OnOrders();
  bool Watch(int fd, uint64_t tag);
  void Insert(std::unique_ptr<UplinkPort> port);
  void Remove(uint64_t number);
  void Lose(uint64_t number, const std::string& why, bool may_return);
  UplinkPort* FindById(const std::string& id, uint64_t* number = nullptr);

  int WaitForEvents(epoll_event* events, int most);
  void RetryStalled();
  void ServePorts();
  bool ServePort(UplinkPort& port);
  void PassFromInstance(UplinkPort& port, const FrameView& frame);
  void PassToHost(UplinkPort& port, std::span<const uint8_t> head, std::span<const uint8_t> rest,
                  const VnetHeader& vnet);
  UplinkPort* FindReceiver(const FrameRoute& route);
  void ServeTap();
  void PassFromTap(const VnetHeader& vnet, std::span<const uint8_t> frame);
  void Deliver(UplinkPort& receiver, std::span<const uint8_t> head, std::span<const uint8_t> rest,
               const FrameMeta& meta);
  void LoseTap(const std::string& why);
  void Touch(UplinkPort& port);
  void FlushTouched();

  const SwitchOptions options_;
  const SwitchEvents events_;
  UniqueFd epoll_;
  UniqueFd orders_rang_;
  std::mutex mutex_;
  std::vector<std::function<void()>> orders_;  // under mutex_

  // The thread's own from here on.
  bool is_stopping_ = false;
  UniqueFd tap_;
  RssKey key_;
  uint64_t next_number_ = 0;
  std::unordered_map<uint64_t, std::unique_ptr<UplinkPort>> ports_;  // by number
  std::map<Mac, UplinkPort*> by_mac_;
  std::map<Ip4, UplinkPort*> by_ip4_;
  std::map<Ip6, UplinkPort*> by_ip6_;
  std::vector<UplinkPort*> active_;
  std::vector<UplinkPort*> touched_;
  std::vector<UplinkPort*> stalled_;
  std::vector<uint8_t> buffer_;
  FrameBuffers waiting_;
  PortCounters tap_counters_{};
  std::atomic<uint64_t> wakeups_ = 0;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace junction::scheduler
