# The command line with its CPU dependencies:
#   docker build -t asasr-bench . && docker run --rm -v "$PWD:/data" asasr-bench run demo
# Other extras or a GPU: --build-arg EXTRAS=[iqa,ocr] --build-arg TORCH_INDEX=URL (a wheel index of PyTorch).
FROM python:3.11-slim

ARG EXTRAS=""
ARG TORCH_INDEX=""

# OpenCV, which some extras bring, needs these libraries.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*

COPY . /src
RUN if [ -n "$TORCH_INDEX" ]; then pip install --no-cache-dir torch torchvision --index-url "$TORCH_INDEX"; fi \
    && pip install --no-cache-dir "/src$EXTRAS" \
    && rm -rf /src

ENV MPLBACKEND=Agg ASASR_BENCH_WEIGHTS=/data/.weights ASASR_BENCH_DATA=/data/.data
WORKDIR /data
ENTRYPOINT ["asasr-bench"]
CMD ["--help"]
