// SPDX-License-Identifier: Apache-2.0
// Types of what ts-proto generates for grpc-js: a service is a record of methods.

/** One method of a service. Client streams are not used in this project. */
export interface Method<Request, Response> {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly requestStream: false;
  readonly responseStream: boolean;
  readonly requestSerialize: (value: Request) => Buffer;
  readonly requestDeserialize: (value: Buffer) => Request;
  readonly responseSerialize: (value: Response) => Buffer;
  readonly responseDeserialize: (value: Buffer) => Response;
}

/** A method whose messages do not matter to the reader; `any` because Method is invariant in them. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyMethod = Method<any, any>;

/** A generated service such as `functionV1.FunctionServiceService`. */
export type Service = Readonly<Record<string, AnyMethod>>;

/** The request message of a method. */
export type RequestOf<M extends AnyMethod> = M extends Method<infer Request, infer _Response> ? Request : never;

/** The response message of a method; of a stream, one of its messages. */
export type ResponseOf<M extends AnyMethod> = M extends Method<infer _Request, infer Response> ? Response : never;

/** `package.Service` of a service. */
export function serviceName(service: Service): string {
  const [first] = Object.values(service);
  const name = first?.path.split('/')[1];
  if (name === undefined) throw new Error('a service without methods has no name');
  return name;
}
