import type {
  DescMethodBiDiStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { LogService } from "../wire/generated/seglog/v1/log_service_pb.js";

/** When a call ends at the latest. */
export interface CallLimits {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

type Methods = (typeof LogService)["method"];

type Call<Method> =
  Method extends DescMethodUnary<infer Input, infer Output>
    ? (request: MessageInitShape<Input>, limits: CallLimits) => Promise<MessageShape<Output>>
    : Method extends DescMethodServerStreaming<infer Input, infer Output>
      ? (
          request: MessageInitShape<Input>,
          limits: CallLimits,
        ) => AsyncIterable<MessageShape<Output>>
      : Method extends DescMethodBiDiStreaming<infer Input, infer Output>
        ? (
            requests: AsyncIterable<MessageInitShape<Input>>,
            limits: CallLimits,
          ) => AsyncIterable<MessageShape<Output>>
        : never;

/**
 * The calls of the service. These types stand in for those of the library that makes the calls, so
 * that its declarations are no part of this package's.
 */
export type Calls = { readonly [Name in keyof Methods]: Call<Methods[Name]> };
