#!/usr/bin/env bash
# `make image`: builds the image under the name given, and keeps it.
# shellcheck source=containers/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

image=${1:?"usage: image.sh NAME"}
docker_usable || die "building an image needs a Docker engine, and $NO_DOCKER"
build_binary
build_image "$image"
say "built the image $image"
