/** A thread in the place of the one that reads configurations: it ends at the first request. */
const scope = self as unknown as {
  onmessage: (event: MessageEvent) => void;
  postMessage(message: unknown): void;
};
scope.onmessage = ({ ports: [port] }) => {
  port!.onmessage = () => {
    throw new Error("it cannot go on");
  };
};
scope.postMessage("ready");

export {};
