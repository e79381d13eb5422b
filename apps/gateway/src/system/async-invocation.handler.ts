// SPDX-License-Identifier: Apache-2.0
import { Controller, Delete, Post } from '@nestjs/common';
import { HttpError } from '../http/http-error.js';

/** POST and DELETE /async-function/…: queued invocations, which are not built yet. */
@Controller()
export class AsyncInvocationHandler {
  @Post('/async-function/*')
  queue(): never {
    throw new HttpError(501, 'gateway: asynchronous invocations are not part of this version; use /function/NAME');
  }

  @Delete('/async-function/*')
  cancel(): never {
    return this.queue();
  }
}
