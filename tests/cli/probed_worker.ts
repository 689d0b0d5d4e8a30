/** The program as a Worker, which has told before what it can do. */
import { tellRights } from "./rights.ts";

tellRights("its Worker's");
await import("../../main.ts");
