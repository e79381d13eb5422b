// SPDX-License-Identifier: Apache-2.0
module conformance

go 1.19
