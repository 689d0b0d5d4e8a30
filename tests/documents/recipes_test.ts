/** The recipes, with the real programs. `tests/end_to_end/` has the scripts of `examples/`. */
import { testDocument } from "../support/document_run.ts";

testDocument("docs/recipes/nginx.md", { needs: ["nginx", "curl"] });
testDocument("docs/recipes/haproxy.md", { needs: ["haproxy", "curl"] });
testDocument("docs/recipes/redis.md", { needs: ["redis-server", "redis-cli", "useradd"] });
testDocument("docs/recipes/two-hosts.md", { needs: ["socat", "bash"] });
testDocument("examples/run-one-command/README.md", {
  inDirectory: true,
  needs: ["socat"],
});
testDocument("examples/postgresql/README.md", {
  inDirectory: true,
  needs: ["psql", "/usr/lib/postgresql"],
});
