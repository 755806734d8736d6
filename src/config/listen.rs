//! Listener lists: `0.0.0.0:8000 reuseport, [::]:8443 http2 ssl`.
