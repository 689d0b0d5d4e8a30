/** A build in `dist/` is tested only where it is one of the sources. */
import { assertEquals } from "@std/assert";
import { reasonAgainst } from "./support/built_file.ts";
import { TemporaryDirectory } from "./support/temporary_directory.ts";

Deno.test("a build that is older than a source, or missing, is refused with the reason", () => {
  using place = new TemporaryDirectory();
  Deno.mkdirSync(place.at("lib/net"), { recursive: true });
  const built = place.write("built", "");
  const [main, one, other] = ["main.ts", "lib/a.ts", "lib/net/b.ts"].map((name) => {
    place.write(name, "");
    return place.at(name);
  });
  const sources = [main!, place.at("lib")];
  /** Sets the time of a source. @param age In seconds. */
  const reason = (path: string, age: number) => {
    const time = Date.now() / 1000 - age;
    Deno.utimeSync(path, time, time);
    return reasonAgainst(built, sources);
  };
  for (const path of [main!, one!, other!]) reason(path, 60);
  for (const path of [main!, one!, other!]) {
    assertEquals(reason(path, -60), `${built} is older than ${path}`);
    assertEquals(reasonAgainst(built, []), null);
    assertEquals(reason(path, 60), null);
  }
  // What a build sets as its time is that of its commit.
  Deno.utimeSync(built, 1, 1);
  assertEquals(reasonAgainst(built, sources), null);
  const absent = place.at("absent");
  assertEquals(reasonAgainst(absent, []), `there is no ${absent}`);
});
