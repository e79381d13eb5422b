# SPDX-License-Identifier: Apache-2.0
# The TCP part of both builds (the TCP engineer's list), relative to net/.
set(net_tcp_sources tcp/tcp_stub.cc)
