//! Node settings: listeners, trusted addresses, TLS and the like, by the names of `kong.conf`.
