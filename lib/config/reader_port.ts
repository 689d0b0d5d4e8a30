/**
 * A plane's end of the channel to the thread that reads long configurations. This file loads one of
 * Node's modules, which takes time.
 *
 * @module
 */
import { type MessagePort as NodePort, receiveMessageOnPort } from "node:worker_threads";
import type { ReaderPort } from "./config_reader.ts";

/** Takes messages without the event loop, which a thread with a reactor never enters. */
export function readerPort(port: MessagePort): ReaderPort {
  return { port, receive: () => receiveMessageOnPort(port as unknown as NodePort) };
}
