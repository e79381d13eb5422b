// SPDX-License-Identifier: Apache-2.0
module gostress

go 1.19
