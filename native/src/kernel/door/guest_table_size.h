// SPDX-License-Identifier: Apache-2.0
// Macros, as the assembler reads this file.
#pragma once

/// Rows of the guest syscall table; a greater number is ENOSYS.
#define GUEST_TABLE_ROWS 480
