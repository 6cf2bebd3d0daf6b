/** What is the same for all nodes is worked out once, and not once a node. */

/**
 * A function of an object that is worked out once for each, and kept as long as
 * that object is.
 *
 * @param work depends on the object alone, which does not change
 */
export function oncePer<Key extends WeakKey, Result>(
  work: (key: Key) => Result,
): (key: Key) => Result {
  const known = new WeakMap<Key, { readonly result: Result }>();
  return (key) => {
    const old = known.get(key);
    if (old !== undefined) return old.result;
    const result = work(key);
    known.set(key, { result });
    return result;
  };
}
