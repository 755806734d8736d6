//! Trust store of the operating system.

/// Files in which systems keep the certificates of authorities in PEM: Debian and Alpine, Fedora and RHEL, macOS and BSD.
const FILES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Reads the certificates of authorities that the system trusts, in PEM; `None` if the system has none.
pub fn system_authorities() -> Option<String> {
    FILES.iter().find_map(|path| std::fs::read_to_string(path).ok())
}
