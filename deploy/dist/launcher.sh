#!/bin/sh
# Starts Berth with the Node that lies beside it, wherever both were unpacked.
self=$0
while [ -L "$self" ]; do
  target=$(readlink "$self")
  case $target in
  /*) self=$target ;;
  *) self=${self%/*}/$target ;;
  esac
done
home=${self%/*}/../lib/berth
if [ ! -x "$home/node" ]; then
  echo "berth: $home/node is missing: unpack the release as a whole" >&2
  exit 69
fi
[ -e /usr/lib/@TRIPLET@/libatomic.so.1 ] || [ -e /usr/lib64/libatomic.so.1 ] || [ -e /usr/lib/libatomic.so.1 ] ||
  echo "berth: Node needs the library libatomic.so.1: apt-get install libatomic1" >&2
# Compiled code, made with the release. Where it does not fit the processor, the first start adds what does.
export NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE:-$home/cache}" NODE_COMPILE_CACHE_PORTABLE=1
# One thread of the pool waits for the ends of processes (native/exits.ts).
export UV_THREADPOOL_SIZE="${UV_THREADPOOL_SIZE:-5}"
export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-1}"
# Registries are held against the authorities that this node trusts, where the peers look for them too (Go,
# crypto/x509/root_linux.go); a node that has none gets Node's own list. Read when the first registry needs it.
if [ -z "$SSL_CERT_FILE$SSL_CERT_DIR" ]; then
  for file in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem \
    /etc/pki/tls/cacert.pem /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem /etc/ssl/cert.pem; do
    if [ -s "$file" ]; then
      export SSL_CERT_FILE="$file"
      break
    fi
  done
fi
roots=
[ -z "$SSL_CERT_FILE$SSL_CERT_DIR" ] || roots=--use-openssl-ca
exec "$home/node" $roots --disable-warning=ExperimentalWarning --v8-pool-size=1 --max-semi-space-size=1 \
  "$home/load.cjs" "$@"
