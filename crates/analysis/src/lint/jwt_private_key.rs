//! Private keys where the public one is enough.

use super::{Lint, LintContext, Report};
use model::rule::pem;
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/jwt-private-key",
    level: Some(Level::Warning),
    summary: "`rsa_public_key` of a jwt secret holds a private key",
    explanation: "Tokens are verified with the public half of a key. Only the issuer of the tokens needs the private \
            half, which signs them. The gateway derives the public half from it, but every reader of the file \
            can then issue tokens. `openssl pkey -pubout -in FILE` prints the public key.",
    bad: "_format_version: '3.0'\nconsumers:\n- username: u\n  jwt_secrets:\n  - key: issuer\n    algorithm: EdDSA\n    rsa_public_key: |\n      -----BEGIN PRIVATE KEY-----\n      MC4CAQAwBQYDK2VwBCIEIOPyYyK3w5YvVumHwmmAmX53/XSqwP6lK5c50Q7t1eD6\n      -----END PRIVATE KEY-----\n",
    good: "_format_version: '3.0'\nconsumers:\n- username: u\n  jwt_secrets:\n  - key: issuer\n    algorithm: EdDSA\n    rsa_public_key: |\n      -----BEGIN PUBLIC KEY-----\n      MCowBQYDK2VwAyEAin1hsfcsKLoUWvmvISsE8G6DsYbbI49F0ojrHR60JP4=\n      -----END PUBLIC KEY-----\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    for secret in context.state.jwt_secrets.rows() {
        if secret.rsa_public_key.as_deref().is_some_and(pem::is_private_key) {
            report.at(
                context.key(secret, "rsa_public_key"),
                "this is a private key; the public one is enough to verify tokens".to_owned(),
                "write the public key, which `openssl pkey -pubout -in FILE` prints",
            );
        }
    }
}
