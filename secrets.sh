#!/bin/sh
# Makes what mutual TLS of the control API needs: an authority, a certificate for the operator and one for its clients, each as PEM
# files and as key stores (PKCS#12; the names end in .jks, as manifests expect). Needs openssl and nothing else.
#
# `flinkctl certs generate` does the same where there is no openssl.
set -eu

usage() {
    cat >&2 <<'TEXT'
usage: ./secrets.sh <operator-host> <key-password> <keystore-password> <truststore-password> [<namespace>]

  <operator-host>  name or address by which clients reach the operator, such as flink-operator
  <...-password>   a password, or env:NAME or file:PATH to keep it out of the list of processes
  <namespace>      of the operator's Service, flink-operator unless given: <operator-host>.<namespace>.svc is a name too

All files are put into ./secrets, which must not exist.
TEXT
    exit 1
}

[ $# -eq 4 ] || [ $# -eq 5 ] || usage
host=$1
namespace=${5:-flink-operator}
directory=secrets
days=365

# openssl takes env:, file: and pass: as they are; a bare password goes by way of the environment, which only its owner can read.
pass() {
    case $1 in
        env:* | file:*) printf '%s' "$1" ;;
        *) printf 'env:%s' "$2" ;;
    esac
}
KEY_PASSWORD=$2 KEYSTORE_PASSWORD=$3 TRUSTSTORE_PASSWORD=$4
export KEY_PASSWORD KEYSTORE_PASSWORD TRUSTSTORE_PASSWORD
key_pass=$(pass "$2" KEY_PASSWORD)
keystore_pass=$(pass "$3" KEYSTORE_PASSWORD)
truststore_pass=$(pass "$4" TRUSTSTORE_PASSWORD)

case $host in
    *[!A-Za-z0-9.:-]* | '') echo "error: <operator-host> is '$host', which is neither a name nor an address" >&2; exit 1 ;;
esac
command -v openssl >/dev/null || { echo "error: openssl is not installed; 'flinkctl certs generate' needs none" >&2; exit 1; }
if [ -e "$directory" ]; then
    echo "error: $directory exists already; move it away, or delete it to make new secrets" >&2
    exit 2
fi
umask 077
work=$(mktemp -d "./.$directory.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM
cd "$work"

quiet() {
    "$@" >openssl.log 2>&1 || { cat openssl.log >&2; echo "error: $1 $2 failed" >&2; exit 3; }
}

alternatives() {
    printf 'DNS:localhost,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1,DNS:host.docker.internal,DNS:minikube'
    case $host in
        *:*) printf ',IP:%s' "$host" ;;
        *[!0-9.]*.*) printf ',DNS:%s' "$host" ;;
        *.*.*.*) printf ',IP:%s' "$host" ;;
        *) printf ',DNS:%s,DNS:%s.%s,DNS:%s.%s.svc,DNS:%s.%s.svc.cluster.local' \
            "$host" "$host" "$namespace" "$host" "$namespace" "$host" "$namespace" ;;
    esac
}

cat >openssl.cnf <<TEXT
[req]
prompt = no
distinguished_name = subject
[subject]
CN = $host
[ca]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[api]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth
subjectAltName = $(alternatives)
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[cli]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
TEXT

quiet openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -aes-256-cbc -pass "$key_pass" -out ca_key.pem
quiet openssl req -x509 -new -config openssl.cnf -extensions ca -key ca_key.pem -passin "$key_pass" -sha256 \
    -days $days -subj "/CN=$host authority" -out ca_cert.pem

# PKCS#12 has no mark of its own for trusted certificates; Java looks for one, which openssl sets since 3.2.
trust=
if openssl pkcs12 -help 2>&1 | grep -q -e -jdktrust; then
    trust='-jdktrust anyExtendedKeyUsage'
else
    echo "note: this openssl marks no certificates as trusted for Java; flinkctl does not need it" >&2
fi

for part in cli api; do
    case $part in
        cli) subject=flinkctl ;;
        api) subject=$host ;;
    esac
    name=operator-$part
    quiet openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "${name}_key.pem"
    quiet openssl req -new -config openssl.cnf -key "${name}_key.pem" -subj "/CN=$subject" -out "${name}_csr.pem"
    quiet openssl x509 -req -in "${name}_csr.pem" -CA ca_cert.pem -CAkey ca_key.pem -passin "$key_pass" -CAcreateserial \
        -CAserial ca_cert.srl -sha256 -days $days -extfile openssl.cnf -extensions "$part" -out "${name}_cert.pem"
    quiet openssl pkcs12 -export -name selfsigned -inkey "${name}_key.pem" -in "${name}_cert.pem" -certfile ca_cert.pem \
        -caname CARoot -passout "$keystore_pass" -out "keystore-$name.jks"
    # shellcheck disable=SC2086 # one flag with its value, or none
    quiet openssl pkcs12 -export -nokeys -in ca_cert.pem -caname CARoot -name CARoot $trust \
        -passout "$truststore_pass" -out "truststore-$name.jks"
done
rm -f openssl.log

cd ..
mv "$work" "$directory"
trap - EXIT INT TERM
cat <<TEXT
$directory has the files for the operator (operator-api) and its clients (operator-cli), valid for $days days:

  kubectl -n $namespace create secret generic flink-operator-ssl \\
    --from-file=keystore.jks=$directory/keystore-operator-api.jks --from-file=truststore.jks=$directory/truststore-operator-api.jks \\
    --from-literal=keystore-secret=... --from-literal=truststore-secret=...

Keep $directory/ca_key.pem away from the cluster: whoever has it makes certificates that the operator accepts.
TEXT
