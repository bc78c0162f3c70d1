# syntax=docker/dockerfile:1
# One image for every function: the arguments select the functions and the host that a container runs.
#   docker build --tag warren .
#   docker run warren worker resize-picture
#   docker run warren serve
#   docker run warren schedule
#   docker run --network host warren board
ARG NODE=22.23.2-bookworm-slim

# Bundles are the same for every architecture, so the builder's architecture makes them.
FROM --platform=$BUILDPLATFORM node:${NODE} AS bundles
WORKDIR /src
COPY package.json package-lock.json ./
COPY runtime/package.json runtime/
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN node dev/pack/image.mjs

# Native code for the architecture of the image. Docker and npm name architectures differently.
FROM --platform=$BUILDPLATFORM node:${NODE} AS native
ARG TARGETARCH
WORKDIR /src
COPY package.json package-lock.json ./
COPY runtime/package.json runtime/
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
  --os=linux --libc=glibc --cpu=$(test "$TARGETARCH" = arm64 && echo arm64 || echo x64)
COPY dev/pack/native.mjs dev/pack/
RUN node dev/pack/native.mjs sharp

# Node without package managers. Nothing of the image's architecture runs here, so no emulator is necessary.
FROM node:${NODE} AS base
FROM --platform=$BUILDPLATFORM node:${NODE} AS runtime
WORKDIR /src
COPY --from=base / rootfs/
RUN rm -rf rootfs/usr/local/lib/node_modules rootfs/usr/local/include rootfs/opt/yarn* \
  rootfs/usr/local/bin/npm rootfs/usr/local/bin/npx rootfs/usr/local/bin/corepack rootfs/usr/local/bin/yarn*

FROM scratch
COPY --from=runtime /src/rootfs /
WORKDIR /app
COPY --from=native /src/dist/native ./
COPY --from=bundles /src/dist/image ./
# The user has no entry in /etc/passwd, and the AWS SDK needs a home folder.
ENV NODE_ENV=production \
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  HOME=/app \
  WARREN_MANIFEST=/app/warren.json \
  WARREN_HOST=0.0.0.0 \
  WARREN_BOARD_PAGE=/app/board
# The image writes nothing, so the root file system may be read-only. The user is numeric because Kubernetes cannot check
# whether a name is root.
USER 65532:65532
# Requests; metrics and probes.
EXPOSE 8080 9464
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["node", "/app/health.mjs"]
ENTRYPOINT ["node", "/app/warren.mjs"]
CMD ["worker"]
