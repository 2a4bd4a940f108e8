// Finds a module beside another one, in the sources (.ts) as in the build (.js): threads and processes are started from
// files, which no import statement names.

/**
 * @param name file name without its ending
 * @param from `import.meta.url` of the module that asks
 */
export function besideModule(name: string, from: string): URL {
  return new URL(`./${name}${from.endsWith(".ts") ? ".ts" : ".js"}`, from);
}
