/** The package `yaml`, which edits configurations. */
export * from "yaml";
