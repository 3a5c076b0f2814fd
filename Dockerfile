# The HTTP service and batch processing, without a compiler, root or network access at run time.
#
#   docker build -t openddfa .
#   docker run --rm -p 127.0.0.1:8000:8000 openddfa
#   docker run --rm -v "$PWD/photos:/photos:ro" -v "$PWD/faces:/faces" openddfa batch /photos -o /faces

FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE LICENSES.md ./
COPY src src
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.13-slim
COPY constraints.txt /tmp/
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --constraint /tmp/constraints.txt "$(echo /wheels/openddfa-*.whl)[serve,batch,video,heic]" \
 && rm -rf /wheels /tmp/constraints.txt \
 && useradd --create-home --uid 10001 ddfa
USER ddfa
WORKDIR /home/ddfa
# Compile the kernels once, into the image.
COPY samples/test1.jpg /tmp/test1.jpg
RUN ddfa align /tmp/test1.jpg -o /tmp/outputs && rm -rf /tmp/outputs
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["ddfa"]
CMD ["serve", "--host", "0.0.0.0"]
