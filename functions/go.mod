// SPDX-License-Identifier: Apache-2.0
module functions

go 1.19
