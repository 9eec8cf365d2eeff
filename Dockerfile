# Builds one program of ./cmd where a container registry is at hand; `go run ./hack/images` needs none.
#   docker build --build-arg CMD=operator --build-arg VERSION=v0.1.0 -t affineur/operator:v0.1.0 .
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG CMD=operator
ARG VERSION=dev
ARG TARGETOS
ARG TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false \
    -ldflags "-s -w -buildid= -X main.version=$VERSION" -o /out/program ./cmd/$CMD

FROM gcr.io/distroless/static:nonroot
COPY --from=build /out/program /program
USER 65532:65532
ENTRYPOINT ["/program"]
