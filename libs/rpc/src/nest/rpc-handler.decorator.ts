// SPDX-License-Identifier: Apache-2.0
import { Injectable } from '@nestjs/common';
import type { AnyMethod } from '../method.js';
import type { Handler } from '../rpc-call.js';

const pathKey = Symbol('rpc-handler-path');

/** A class that serves one method. */
export interface RpcHandlerClass<M extends AnyMethod> {
  handle: Handler<M>;
}

/** Marks an injectable class as the handler of one method: `@RpcHandler(SecretServiceService.createSecret)`. */
export function RpcHandler<M extends AnyMethod>(
  method: M,
): <C extends abstract new (...args: never[]) => RpcHandlerClass<M>>(target: C) => void {
  return (target) => {
    Injectable()(target);
    Reflect.defineMetadata(pathKey, method.path, target);
  };
}

/** The path of the method that a class handles; undefined for other classes. */
export function handledPath(target: unknown): string | undefined {
  if (typeof target !== 'function') return undefined;
  return Reflect.getMetadata(pathKey, target) as string | undefined;
}
