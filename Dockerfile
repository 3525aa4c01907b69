# One image for every process of a deployment: `docker run plumbline worker`, `recorder`, `front`, `migrate`, …
# Holds no configuration and no secret: both come from outside (docs/config.md, docs/security.md).
ARG NODE_IMAGE=node:24.21.0-bookworm-slim

FROM ${NODE_IMAGE} AS sources
ENV CI=true
WORKDIR /app
RUN npm install --global --no-audit --no-fund pnpm@12.21.0
# Packages first: they change less often than the sources, and their layer is kept.
COPY pnpm-lock.yaml pnpm-workspace.yaml package.json ./
COPY patches patches
RUN pnpm fetch && rm -rf node_modules
COPY . .

FROM sources AS page
RUN pnpm install --offline --frozen-lockfile --filter @plumbline/console... \
 && node services/console/scripts/build-web.mjs --force

FROM sources AS modules
# `server`: rows go to a ClickHouse server, and its engine (540 MB) is left out. `embedded`: also `plumbline up` on its own.
ARG STORE=server
RUN pnpm install --offline --frozen-lockfile --prod --filter @plumbline/cli... \
 && if [ "$STORE" = server ]; then rm -rf node_modules/.pnpm/@chdb+lib-*; fi

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="Plumbline" org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
# Owned by root and never written to: the root file system may be mounted read-only.
COPY --from=modules /app /app
COPY --from=page /app/services/console/dist-web /app/services/console/dist-web
RUN mkdir /data /var/cache/plumbline && chown 10001:10001 /data /var/cache/plumbline
USER 10001:10001
WORKDIR /data
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "--disable-warning=ExperimentalWarning", "/app/services/cli/src/main.ts"]
CMD ["--help"]
