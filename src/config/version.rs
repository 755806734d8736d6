//! Older format versions, brought up to 3.0.
