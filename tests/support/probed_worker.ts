/** The program as a Worker, which has told before what it can do. */
import { tellRights } from "./permissions.ts";

tellRights("its Worker's");
await import("../../main.ts");
