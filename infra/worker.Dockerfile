# The GPU worker. From the repository's root:
#
#     docker build --file infra/worker.Dockerfile --target cpu    --tag setblock-worker .
#     docker build --file infra/worker.Dockerfile --target vulkan --tag setblock-worker:vulkan .
#     docker build --file infra/worker.Dockerfile --target cuda   --tag setblock-worker:cuda .
#
# Name the bases by digest, or from a mirror, with --build-arg.
ARG NODE_IMAGE=node:22-bookworm-slim
ARG CUDA_IMAGE=nvidia/cuda:12.6.3-cudnn-runtime-ubuntu22.04

FROM ${NODE_IMAGE} AS install
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY shared/package.json shared/
COPY edge/package.json edge/
COPY gpu-worker/package.json gpu-worker/
COPY client/package.json client/
# Optional packages are the Node that npm scripts bring along; this image has its own.
RUN npm ci --omit=dev --omit=optional --workspace=gpu-worker
# The package carries ONNX Runtime for other systems too: 220 MB of no use here.
RUN find node_modules/onnxruntime-node/bin -mindepth 2 -maxdepth 2 ! -name linux -exec rm -r {} +

# What every variant runs.
FROM scratch AS program
COPY --from=install /app /app
COPY shared /app/shared
COPY gpu-worker /app/gpu-worker
COPY models /app/models
COPY infra/probe.cjs /app/infra/

FROM ${NODE_IMAGE} AS cpu
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production \
    ORT_DISABLE_TELEMETRY=1 \
    SETBLOCK_WORKER_HOST=0.0.0.0 \
    SETBLOCK_WORKER_PORT=8788 \
    SETBLOCK_MODEL=/app/models/setblock-nano \
    SETBLOCK_SESSIONS=/sessions
WORKDIR /app
COPY --from=program /app ./
RUN install --directory --owner=node --group=node --mode=700 /sessions
VOLUME /sessions
USER node
EXPOSE 8788
# Unhealthy until the model is loaded, and again while it drains.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["node", "infra/probe.cjs", "http://127.0.0.1:8788/readyz"]
# SIGTERM drains: running jobs finish, new ones are refused.
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "--"]
CMD ["node", "gpu-worker/src/main.ts"]

# The same with what ONNX Runtime's WebGPU provider needs: a Vulkan loader, and Mesa's drivers with
# a software device for machines without a GPU. Mesa comes from backports because the provider
# refuses the older one of this Debian. NVIDIA's own driver is mounted by the container toolkit,
# which does so only for the `graphics` capability.
FROM cpu AS vulkan
USER root
RUN echo 'deb http://deb.debian.org/debian bookworm-backports main' \
        > /etc/apt/sources.list.d/backports.list \
    && apt-get update \
    && apt-get install --yes --no-install-recommends libvulkan1 \
    && apt-get install --yes --no-install-recommends --target-release bookworm-backports \
        mesa-vulkan-drivers \
    && rm -rf /var/lib/apt/lists/*
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=graphics,compute,utility \
    SETBLOCK_DEVICE=webgpu
USER node

# ONNX Runtime's CUDA provider is no part of the npm package: its install script fetches it, as
# `npx setblock install-cuda` has it do.
FROM install AS cuda-provider
RUN ONNXRUNTIME_NODE_INSTALL=true node node_modules/onnxruntime-node/script/install.js

# NVIDIA's base with the CUDA libraries and cuDNN, and Node from its own image.
FROM ${NODE_IMAGE} AS node-binary

FROM ${CUDA_IMAGE} AS cuda
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --user-group --create-home node
ENV NODE_ENV=production \
    ORT_DISABLE_TELEMETRY=1 \
    SETBLOCK_WORKER_HOST=0.0.0.0 \
    SETBLOCK_WORKER_PORT=8788 \
    SETBLOCK_MODEL=/app/models/setblock-nano \
    SETBLOCK_SESSIONS=/sessions \
    SETBLOCK_DEVICE=cuda
WORKDIR /app
COPY --from=node-binary /usr/local/bin/node /usr/local/bin/
COPY --from=program /app ./
COPY --from=cuda-provider /app/node_modules/onnxruntime-node ./node_modules/onnxruntime-node
RUN install --directory --owner=node --group=node --mode=700 /sessions
VOLUME /sessions
USER node
EXPOSE 8788
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["node", "infra/probe.cjs", "http://127.0.0.1:8788/readyz"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "--"]
CMD ["node", "gpu-worker/src/main.ts"]
