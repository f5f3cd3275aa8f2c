/** Reads the first prompt of the command line to warm up; prints the CPU milliseconds of the second one. */
export async function printCpu(read) {
  const [, warmUp, measured] = process.argv.slice(2);
  await read(warmUp);
  const before = process.cpuUsage();
  const characters = await read(measured);
  const { user, system } = process.cpuUsage(before);
  process.stdout.write(JSON.stringify({ cpuMs: (user + system) / 1000, characters }));
}
