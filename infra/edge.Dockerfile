# The edge on Node, for running it outside Cloudflare Workers. From the repository's root:
#
#     docker build --file infra/edge.Dockerfile --tag setblock-edge .
#
# Name the base by digest, or from a mirror, with --build-arg.
ARG NODE_IMAGE=node:22-bookworm-slim

FROM ${NODE_IMAGE} AS sources
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY shared/package.json shared/
COPY edge/package.json edge/
COPY gpu-worker/package.json gpu-worker/
COPY client/package.json client/

# The playground, and manifests and tokenizers: the edge needs no weights.
FROM sources AS assets
COPY tsconfig.base.json ./
# The tool that builds the page is a development dependency with optional parts.
RUN npm ci --include-workspace-root --workspace=shared
COPY shared ./shared
COPY edge ./edge
COPY scripts ./scripts
COPY models ./models
RUN SETBLOCK_ASSETS=/assets node scripts/build-assets.ts

FROM sources AS install
# Optional packages are the Node that npm scripts bring along; this image has its own.
RUN npm ci --omit=dev --omit=optional --workspace=edge

FROM ${NODE_IMAGE} AS edge
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production \
    SETBLOCK_EDGE_HOST=0.0.0.0 \
    SETBLOCK_EDGE_PORT=8787 \
    SETBLOCK_DATABASE=/data/edge.sqlite \
    SETBLOCK_MODEL=/app/assets/setblock-nano \
    SETBLOCK_PLAYGROUND=/app/assets/_playground
WORKDIR /app
COPY --from=install /app/package.json ./
COPY --from=install /app/node_modules ./node_modules
COPY --from=install /app/edge ./edge
COPY --from=assets /assets ./assets
COPY shared ./shared
COPY edge ./edge
COPY infra/probe.cjs ./infra/
RUN install --directory --owner=node --group=node --mode=700 /data
VOLUME /data
USER node
EXPOSE 8787
# Alive, not ready: readiness depends on the workers, and restarting the edge would not help them.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["node", "infra/probe.cjs", "http://127.0.0.1:8787/healthz"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "--"]
CMD ["node", "edge/src/node.ts"]
