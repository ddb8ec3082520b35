// OpenSSL's message digests; nothing here needs a shim.
#include <openssl/evp.h>
