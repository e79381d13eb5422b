// SPDX-License-Identifier: Apache-2.0
import { Controller, Get } from '@nestjs/common';
import { HttpError } from '../http/http-error.js';

/** GET /ui/: the dashboard, which is not built yet. */
@Controller()
export class DashboardHandler {
  @Get(['/ui', '/ui/*'])
  handle(): never {
    throw new HttpError(501, 'gateway: the dashboard is not part of this version; use the API under /system/');
  }
}
