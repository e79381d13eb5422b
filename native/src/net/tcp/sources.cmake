# SPDX-License-Identifier: Apache-2.0
# The TCP part of both builds, relative to net/.
set(net_tcp_sources tcp/byte_chain.cc tcp/connection_begin.cc tcp/connection_end.cc tcp/connection_table.cc tcp/cubic.cc tcp/isn.cc
  tcp/listener.cc tcp/loss_recovery.cc tcp/object_pool.cc tcp/reassembly.cc tcp/receive_window.cc tcp/round_trip.cc tcp/send_buffer.cc
  tcp/sent_records.cc tcp/syn_cookie.cc tcp/tcp_ack.cc tcp/tcp_control_segments.cc tcp/tcp_header.cc tcp/tcp_info.cc tcp/tcp_input.cc
  tcp/tcp_output.cc tcp/tcp_protocol.cc tcp/tcp_receive.cc tcp/tcp_socket.cc tcp/tcp_timers.cc tcp/tcp_transfer.cc tcp/time_wait.cc)
