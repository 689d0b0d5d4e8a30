/** The recipes, with the real programs. `tests/end_to_end/` has those of `examples/`. */
import { testDocument } from "../support/document_run.ts";

testDocument("docs/recipes/nginx.md", { needs: ["nginx", "curl"] });
testDocument("docs/recipes/haproxy.md", { needs: ["haproxy", "curl"] });
testDocument("docs/recipes/redis.md", { needs: ["redis-server", "redis-cli", "useradd"] });
testDocument("docs/recipes/two-hosts.md", { needs: ["socat", "bash"] });
