// SPDX-License-Identifier: Apache-2.0
// Prints what a getppid costs inside of an addon. Argument: the addon.
const { getppid } = require(process.argv[2]);

const values = Array.from({ length: 9 }, () => getppid(100_000)).sort((a, b) => a - b);
console.log(`getppid_node_addon ${values[4].toFixed(2)}`);
