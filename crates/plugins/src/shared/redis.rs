//! Configuration of a Redis server, shared by plugins that can store their state there.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Connection to a Redis server.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Redis {
    /// Host name or IP address, without the port.
    #[schemars(extend("x-rule" = "host"))]
    pub host: Option<String>,
    /// Port.
    #[schemars(range(min = 0, max = 65535))]
    pub port: Option<u16>,
    /// Timeout in milliseconds for connecting, sending and receiving, each.
    #[schemars(range(min = 0, max = 2147483646))]
    pub timeout: Option<u32>,
    /// Username for authentication. If it is not set, only the password is sent.
    #[schemars(extend("x-referenceable" = true))]
    pub username: Option<String>,
    /// Password for authentication. If it is not set, no authentication takes place.
    #[schemars(extend("x-referenceable" = true, "x-encrypted" = true, "minLength" = 0))]
    pub password: Option<String>,
    /// Database number.
    pub database: Option<i64>,
    /// Whether to connect with TLS.
    pub ssl: Option<bool>,
    /// Whether to verify the server's certificate.
    pub ssl_verify: Option<bool>,
    /// Server name (SNI) for TLS, if it differs from `host`.
    #[schemars(extend("x-rule" = "sni"))]
    pub server_name: Option<String>,
}

impl Default for Redis {
    fn default() -> Self {
        Redis {
            host: None,
            port: Some(6379),
            timeout: Some(2000),
            username: None,
            password: None,
            database: Some(0),
            ssl: Some(false),
            ssl_verify: Some(false),
            server_name: None,
        }
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}
