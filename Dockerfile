# The gateway alone: `linkage serve`. State and keys lie in /state, which has to be a volume.
#
#   docker build -t linkage .
#   docker run --rm -v linkage-state:/state -e LINKAGE_ISSUER=https://gateway.example.go.th linkage init
#   docker run -v linkage-state:/state -p 127.0.0.1:8440:8440 -e LINKAGE_ISSUER=https://gateway.example.go.th \
#       -e LINKAGE_TRUSTED_PROXIES=172.17.0.1 linkage
#
# It listens on every address of its own network, so it wants TLS, or the proxy that ends TLS in front of it:
# LINKAGE_TLS_CERTIFICATE and LINKAGE_TLS_KEY, or LINKAGE_TRUSTED_PROXIES. Without either it does not start.

FROM python:3.13-slim AS build
WORKDIR /app
RUN python -m venv /app/.venv
COPY requirements.serve.lock ./
RUN .venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.serve.lock
COPY pyproject.toml ./
COPY gateway gateway
COPY connectors connectors
COPY schemas schemas
COPY policies policies
# In place, so that policies, schemas and connectors are found beside the program.
RUN .venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation -e . \
    && .venv/bin/python -m compileall -q gateway connectors \
    && .venv/bin/pip uninstall -q -y setuptools pip

FROM python:3.13-slim
RUN useradd --system --uid 8440 --home-dir /state --create-home --shell /usr/sbin/nologin linkage
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LINKAGE_STATE_DIR=/state \
    LINKAGE_PORT=8440
USER linkage
VOLUME /state
EXPOSE 8440
STOPSIGNAL SIGTERM
# The certificate is the gateway's own name's, not this address's: the check is whether it answers.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 CMD ["python", "-c", "\
import os, ssl, urllib.request as r\n\
c = ssl._create_unverified_context() if os.environ.get('LINKAGE_TLS_KEY') else None\n\
u = ('https' if c else 'http') + '://127.0.0.1:' + os.environ['LINKAGE_PORT'] + '/healthz'\n\
r.urlopen(u, timeout=4, context=c)"]
ENTRYPOINT ["linkage"]
CMD ["serve", "--host", "0.0.0.0"]
