# vqc with its models and torch for CPUs, in one image:
#   docker build -t vqc .
#   docker run --rm -u "$(id -u):$(id -g)" -v "$PWD:/data" vqc compress photo.png
FROM python:3.12-slim
RUN pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu "torch>=2.11"
COPY pyproject.toml README.md LICENSE /source/
COPY vqc /source/vqc
RUN pip install --no-cache-dir /source && rm -r /source && vqc models
# any user may run it
ENV HOME=/tmp
WORKDIR /data
ENTRYPOINT ["vqc"]
CMD ["--help"]
