// Loaded into a program that the launcher runs as its child: when the launcher is killed, the program ends with it.
if (process.channel) {
  process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
  process.channel.unref();
}
