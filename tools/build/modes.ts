/** Who may do what with what is built: said in full everywhere, because the umask and the parent's bits are not ours. */

/**
 * The mode of everything in a build, for `chmod` and `tar`: all may read, and run what is to be run; only the owner may write;
 * and no bit that a parent directory hands down (`chmod g+s`) is left.
 */
export const MODE = "u=rwX,go=rX,a-s";
