// SPDX-License-Identifier: Apache-2.0
import type { ChannelOptions } from '@grpc/grpc-js';

/** Listings of thousands of functions and logs fit; gRPC's own default of 4 MiB is too small for them. Chosen. */
const largestMessageBytes = 64 * 1024 * 1024;

/** The same on both sides. */
export const messageLimits: ChannelOptions = {
  'grpc.max_receive_message_length': largestMessageBytes,
  'grpc.max_send_message_length': largestMessageBytes,
};

/**
 * A peer on another machine may vanish without a word, and a watch would wait for ever: asked after 20 s of silence, gone
 * 5 s later. Not on unix sockets: the host tells at once, and an idle stack stays idle. Chosen.
 */
export const tcpOptions: ChannelOptions = {
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 5_000,
};

/** A server of the same node is back soon: try often at first, never wait longer than a second. Chosen. */
export const clientOptions: ChannelOptions = {
  ...messageLimits,
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.min_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 1_000,
  // No DNS TXT look-ups and no retries behind the caller's back: only callers know what is idempotent.
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_retries': 0,
};
