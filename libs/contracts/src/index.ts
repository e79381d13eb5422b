// SPDX-License-Identifier: Apache-2.0
/** One namespace a proto package: `instanceV1.CreateInstanceRequest`, `functionV1.FunctionServiceService`. */
export * as functionV1 from './generated/index.junctiond.function.v1.js';
export * as instanceV1 from './generated/index.junctiond.instance.v1.js';
export * as schedulerV1 from './generated/index.junctiond.scheduler.v1.js';
export { descriptorSetBase64 } from './generated/descriptor-set.js';
