/** The folder that this project lies in, absolute. */
export const projectRoot = import.meta.dirname?.replace(/\/lib\/exec$/, "") ??
  ".";
