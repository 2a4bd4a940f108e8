# The worker as a container: runs one job, then further ones of its placement, then ends (packages/worker/src/container.ts).
#
#   docker build -t sortie-worker .
#
# Everything comes from Debian and from npm's registry, Node included: Debian has no Node 24 yet, and npm's packages of it
# are pinned by digest in container/node/package-lock.json. `npm run check:container` runs the same three scripts on a
# Debian root without Docker, and real jobs in what they make.

FROM debian:trixie-slim AS build
COPY packages/worker/container/install.sh packages/worker/container/build-packages.txt /container/
RUN ["/container/install.sh", "/container/build-packages.txt"]
COPY . /source
RUN ["/source/packages/worker/container/build.sh", "/source", "/image"]

FROM debian:trixie-slim
COPY packages/worker/container/install.sh packages/worker/container/packages.txt /container/
RUN ["/container/install.sh", "/container/packages.txt"]
COPY --from=build /image/ /

# The C library's allocator gives large freed blocks back to the system: a worker between two jobs holds none.
ENV NODE_ENV=production \
    MALLOC_MMAP_THRESHOLD_=131072 \
    MALLOC_TRIM_THRESHOLD_=131072 \
    MALLOC_ARENA_MAX=2

# nobody:nogroup. Nothing is written to the file system, so that it may be read-only.
USER 65534:65534
WORKDIR /opt/sortie
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/node", "/opt/sortie/packages/worker/dist/container.js"]
