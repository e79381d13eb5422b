// SPDX-License-Identifier: Apache-2.0
import { Controller, Get, Redirect } from '@nestjs/common';

/** GET /: leads browsers to the dashboard. */
@Controller()
export class HomeHandler {
  @Get('/')
  @Redirect('/ui/', 307)
  handle(): void {
    // The decorator is the answer.
  }
}
