#!/bin/sh
# Makes a development authority and a server certificate for this machine in the current folder: ca.pem, server.pem,
# server.key. Needs openssl. Never for production: there, put the chain and key of your own authority here.
set -eu
umask 077
names=${1:-DNS:localhost,IP:127.0.0.1,IP:::1}

openssl ecparam -name prime256v1 -genkey -noout -out ca.key
openssl req -x509 -new -key ca.key -days 365 -subj "/CN=Backstay development authority" \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" -out ca.pem
openssl ecparam -name prime256v1 -genkey -noout -out server.ec
openssl pkcs8 -topk8 -nocrypt -in server.ec -out server.key
openssl req -new -key server.key -subj "/CN=Backstay development" -out server.csr
printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n' "$names" > server.ext
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 90 -extfile server.ext -out server.pem
rm -f ca.key ca.srl server.ec server.csr server.ext
echo "made ca.pem (for clients), server.pem and server.key for $names"
