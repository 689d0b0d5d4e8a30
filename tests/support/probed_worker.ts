/** The program as a Worker, after a report of the Worker's permissions. */
import { reportPermissions } from "./permissions.ts";

reportPermissions("Worker");
await import("../../main.ts");
