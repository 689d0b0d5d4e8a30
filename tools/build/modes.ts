/**
 * The file modes of builds. They are set in full: the builder's umask and `chmod g+s` do not count.
 */

/**
 * The mode of everything in a build, for `chmod` and `tar`: all users may read, and execute what is
 * executable; only the owner may write; the set-user-id and set-group-id bits are cleared.
 */
export const BUILD_MODE = "u=rwX,go=rX,a-s";
