/**
 * The errors that a console answers calls with.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { RpcCode } from "../service/console/protocol.ts";
import { escapeForTerminal } from "../text/escape.ts";

/**
 * The error object that a server answered a call with. Its exit code is 77 when permission is
 * denied, 71 for an internal error of the server, 65 for its other errors.
 */
export class RpcServerError extends Failure {
  /** The name of the class. */
  override readonly name = "RpcServerError";
  /** A JSON-RPC error code, one of `RpcCode`. */
  readonly code: number;

  /**
   * Makes the error. The message and the hint are text of the server, so both are escaped for a
   * terminal here.
   *
   * @param hint The next step, where the server names one.
   */
  constructor(code: number, message: string, hint: string | undefined) {
    super(escapeForTerminal(message), {
      exit: exitOf(code),
      hint: hint === undefined ? undefined : escapeForTerminal(hint),
    });
    this.code = code;
  }
}

/** The exit code of a JSON-RPC error code. */
function exitOf(code: number): ExitCode {
  switch (code) {
    case RpcCode.permissionDenied:
      return ExitCode.refused;
    case RpcCode.internalError:
      return ExitCode.os;
    default:
      return ExitCode.data;
  }
}
