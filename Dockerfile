# rerankbench on CPUs:  docker build -t rerankbench . && docker run --rm -v rerankbench-cache:/cache -v "$PWD:/work" rerankbench run quickstart
FROM python:3.11-slim AS wheel
WORKDIR /src
COPY . .
RUN pip install --no-cache-dir "build>=1.2" && python -m build --outdir /dist

FROM python:3.11-slim
ARG EXTRAS=quickstart,dense,served,plots,peft
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY --from=wheel /dist/*.whl /dist/
COPY constraints.txt /dist/
RUN pip install --no-cache-dir -c /dist/constraints.txt --extra-index-url "$TORCH_INDEX" torch \
 && pip install --no-cache-dir -c /dist/constraints.txt "$(ls /dist/*.whl)[$EXTRAS]" \
 && useradd --create-home --uid 1000 bench \
 && install -d -o bench -g bench /cache /work
ENV HF_HOME=/cache/huggingface IR_DATASETS_HOME=/cache/ir_datasets RERANKBENCH_CACHE=/cache/rerankbench
USER bench
VOLUME ["/cache", "/work"]
WORKDIR /work
ENTRYPOINT ["rerankbench"]
CMD ["--help"]
