// SPDX-License-Identifier: Apache-2.0
// A guest of clone_test: counts its requests in memory.
let count = 0;
require('node:http')
  .createServer((request, response) => {
    request.resume();
    response.end(`count ${++count}`);
  })
  .listen(8080);
