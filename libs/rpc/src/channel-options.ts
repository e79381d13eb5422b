// SPDX-License-Identifier: Apache-2.0
import type { ChannelOptions } from '@grpc/grpc-js';

/** Listings of thousands of functions and logs fit; gRPC's own default of 4 MiB is too small for them. Chosen. */
const largestMessageBytes = 64 * 1024 * 1024;

/** The same on both sides. */
export const messageLimits: ChannelOptions = {
  'grpc.max_receive_message_length': largestMessageBytes,
  'grpc.max_send_message_length': largestMessageBytes,
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
