// SPDX-License-Identifier: Apache-2.0
// Whose listening sockets there are on the host, from /proc/net/tcp and tcp6 (proc(5)). What an instance says of its ports is
// its own word: a port counts only if its socket belongs to one of the instance's host users.

export interface ListeningSocket {
  readonly port: number;
  /** Host user of the process that made it. */
  readonly uid: number;
}

/** The state of a listening socket (include/net/tcp_states.h). */
const TCP_LISTEN = '0A';

/** The listening sockets in the content of one of the two files. */
export function parseListeningSockets(table: string): ListeningSocket[] {
  const sockets: ListeningSocket[] = [];
  for (const line of table.split('\n').slice(1)) {
    // sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode ...
    const [, local = '', , state, , , , uid] = line.trim().split(/\s+/);
    const port = Number.parseInt(local.slice(local.indexOf(':') + 1), 16);
    if (state === TCP_LISTEN && uid !== undefined && Number.isInteger(port)) {
      sockets.push({ port, uid: Number(uid) });
    }
  }
  return sockets;
}
